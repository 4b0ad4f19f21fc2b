/**
 * What the 64 bits of an MMIO spte mean, and how the same fact looks in three kernels.
 *
 * `deno run -q -P=lab examples/02_decode_an_spte.ts`
 */
import { describeSpte, formatDescription, formatLanes, mmioLayout, parseLanes } from "@mmu-lab/spte-encoding";

// From a recording of Linux 3.11 (s18): mmu_spte_set: sptep=ffff880039b76000 spte=fff00000e0000b5e
const { lo, hi } = parseLanes("fff00000e0000b5e");
const layout = mmioLayout("linux_3_11_ept");
console.log(formatDescription(describeSpte(lo, hi, layout)));

console.log("\ngfn 0xfee00, access write + user, generation 2, as other kernels would store it:");
for (const name of ["linux_3_11_ept", "linux_3_11_shadow", "linux_6_1_ept", "linux_6_1_shadow"]) {
  const other = mmioLayout(name, { maxPhyAddr: 40 });
  const spte = other.encode(0xfee00, 6, 2);
  const access = other.accessOf(spte.lo, spte.hi);
  console.log(`${name.padEnd(18)} ${formatLanes(spte.lo, spte.hi).padEnd(18)} reads back access ${access}`);
}

// Linux 5.1 as released stored generation bits 9:0 twice (bug B07): from 1024 on, the number never reads back right.
const broken = mmioLayout("linux_5_1_ept");
const spte = broken.encode(0xfee00, 0, 1024);
console.log(`\nlinux_5_1_ept: generation 1024 reads back as ${broken.generationOf(spte.lo, spte.hi)}`);
