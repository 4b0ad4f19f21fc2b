/**
 * A strategy of your own, `my_strategy.ts`, beside the generation of Linux: a guest uses four devices while user space
 * turns dirty logging on and off, as in a live migration. Whether it keeps the contract is for `testStrategy` to say: see
 * docs/write-a-strategy.md.
 *
 * `deno run -q -P=lab examples/04_own_strategy.ts`
 */
import { generation, type StrategyFactory } from "@mmu-lab/invalidation";
import { PROFILES, Vm, withStrategy } from "@mmu-lab/machine";
import { Work } from "@mmu-lab/protocol";
import newMemoryBumps from "./my_strategy.ts";

const RAM = { id: 0, gpa: 0, size: 0x100000, flags: 0, userspaceAddr: 0x7f0000000000 };
const DEVICES = [0xd0000000, 0xd0001000, 0xe0000000, 0xf0000000];

function migrate(name: string, strategy: StrategyFactory): void {
  const vm = new Vm(withStrategy(PROFILES.linux_3_17_ept, strategy, name));
  vm.createVcpu();
  vm.memslot(RAM);
  for (let round = 0; round < 100; round++) {
    for (const gpa of DEVICES) vm.access(0, "read", gpa, 4);
    vm.memslot({ ...RAM, flags: round % 2 === 0 ? 1 : 0 });
  }
  const { counts } = vm.mmu.counters;
  console.log(`${name}: ${counts[Work.mmioFastHits]} fast hits, ${counts[Work.mmioRefaults]} refaults`);
}

migrate("generation", (era) => generation(era.mmio!));
migrate("newMemoryBumps", newMemoryBumps);
