/**
 * Linear addresses beyond 2^47 in a guest whose tables KVM shadows: the upper half of four levels, and five levels.
 *
 * @module
 */
import { auditBooks, levelOf, PAGING_4_LEVEL, PAGING_5_LEVEL } from "@mmu-lab/paging";
import { KVM_PAGE_FAULT, printEvent, RingBuffer, VCPU_MATCH_MMIO } from "@mmu-lab/tracing";
import { vmxShadowBackend } from "@mmu-lab/vmx-backend";
import { assertEquals, assertThrows } from "@std/assert";
import { FLAT_GUEST } from "./guest.ts";
import type { Profile } from "./profile.ts";
import { PROFILES } from "./profiles.ts";
import { Vm } from "./vm.ts";

const HOST = 0x7f0000000000;
const DEVICE = 0xd0000;
const PROCESSOR = { maxPhyAddr: 40, maxPageLevel: 3, noExecute: true, reservedFaultIsPresent: true } as const;
const LA57: Profile = { ...PROFILES.linux_3_11_shadow, backend: () => vmxShadowBackend({ ...PROCESSOR, la57: true }) };

/** Indices of an address by level, from 1 on. */
function indices(address: bigint): number[] {
  return [1, 2, 3, 4, 5].map((level) => Number((address >> BigInt(3 + 9 * level)) & 511n));
}

/** A guest with tables in frames from 1 on. */
class PagedGuest {
  readonly vm: Vm;
  readonly trace = new RingBuffer(1000);
  readonly #levels: 4 | 5;
  #tables = 1;
  /** Frame of each table by level and what the address has above it. */
  readonly #frames = new Map<string, number>();

  constructor(profile: Profile, levels: 4 | 5) {
    this.#levels = levels;
    const format = levels === 5 ? PAGING_5_LEVEL : PAGING_4_LEVEL;
    const guest = { ...FLAT_GUEST, tables: { cr3: 0x1000, paging: { format, maxphyaddr: 40, cr0Wp: true } } };
    this.vm = new Vm(profile, { guest, trace: this.trace });
    this.vm.memslot({ id: 0, gpa: 0, size: 0x40000, flags: 0, userspaceAddr: HOST });
    this.vm.createVcpu();
    this.#frames.set(`${levels}:0`, 1);
  }

  map(address: bigint, gfn: number): void {
    const index = indices(address);
    let table = 1;
    for (let level = this.#levels; level > 1; level--) {
      const key = `${level - 1}:${BigInt.asUintN(9 * this.#levels + 12, address) >> BigInt(3 + 9 * level)}`;
      const child = this.#frames.get(key) ?? ++this.#tables;
      this.#frames.set(key, child);
      this.vm.writeHost(HOST + table * 4096 + index[level - 1] * 8, BigInt(child) << 12n | 7n);
      table = child;
    }
    this.vm.writeHost(HOST + table * 4096 + index[0] * 8, BigInt(gfn) << 12n | 7n);
  }

  /** A byte of the guest's memory. */
  byte(gpa: number): number {
    const data = new Uint8Array(1);
    this.vm.host.read(this.vm.host.pfn(HOST + gpa), gpa % 4096, data, 0, 1);
    return data[0];
  }
}

const HIGH: [levels: 4 | 5, address: bigint][] = [
  [4, 0xffff_8000_0000_0000n],
  [4, 0xffff_ffff_ffff_e000n],
  [5, 0x00ff_1234_5678_9000n],
  [5, 0xff00_0000_0000_0000n],
  [5, 0xffee_ddcc_bbaa_9000n],
];

for (const [levels, address] of HIGH) {
  const name = `0x${address.toString(16)} with ${levels} levels`;
  Deno.test(`each byte at ${name} is where it should be`, () => {
    const guest = new PagedGuest(LA57, levels);
    const { vm } = guest;
    guest.map(address, 0x30);
    guest.map(address + 0x1000n, 0x32);
    for (const offset of [0, 1, 7, 0x123, 0xff9]) {
      vm.access(0, "write", address + BigInt(offset), 4, 0x44332211n + BigInt(offset));
      assertEquals(guest.byte(0x30000 + offset), (0x11 + offset) & 0xff, offset.toString(16));
      assertEquals(vm.access(0, "read", address + BigInt(offset), 4).value, 0x44332211n + BigInt(offset));
    }
    // One that crosses into the next page.
    vm.access(0, "write", address + 0xffdn, 8, 0x8877665544332211n);
    assertEquals([0x30ffd, 0x30fff, 0x32000, 0x32004].map((gpa) => guest.byte(gpa)), [0x11, 0x33, 0x44, 0x88]);
    assertEquals(levelOf(vm.mmu.pool.role[vm.vcpu(0).mmu.root]), levels);
    assertEquals(vm.mmu.stats.mmu_cache_miss, levels);
    assertEquals(auditBooks(vm.mmu), []);
  });

  Deno.test(`a device at ${name} is remembered by its linear address, until INVLPG`, () => {
    const guest = new PagedGuest(LA57, levels);
    const { vm, trace } = guest;
    guest.map(address, DEVICE);
    const read = () => {
      trace.clear();
      const { kind } = vm.access(0, "read", address + 0x10n, 4);
      assertEquals(kind, "mmio");
      return [...trace].filter(({ event }) => event === KVM_PAGE_FAULT || event === VCPU_MATCH_MMIO)
        .map(({ event, vcpu, args }) => printEvent(event, vcpu, args, "3.11"));
    };
    const fault = `address ${(address + 0x10n).toString(16)} error_code`;
    assertEquals(read()[0], `${fault} 0`);
    assertEquals(read()[0], `${fault} 9`);
    assertEquals(read().length, 2);
    const { cache } = vm.vcpu(0).mmu;
    assertEquals(BigInt.asUintN(64, BigInt(cache.gva)), address);
    vm.invlpg(0, Number(BigInt.asIntN(64, address)));
    assertEquals(cache.gva, 0);
  });
}

Deno.test("the halves do not answer for each other", () => {
  const guest = new PagedGuest(LA57, 5);
  const { vm } = guest;
  // The same page number in the low 36, 45 and 48 bits.
  for (const [i, high] of [0n, 0xffffn << 48n, 0xff01n << 48n, 1n << 48n, 1n << 47n].entries()) {
    guest.map(high | 0x5000n, 0x30 + i);
    vm.access(0, "write", high | 0x5000n, 1, BigInt(i + 1));
  }
  assertEquals([0, 1, 2, 3, 4].map((i) => guest.byte(0x30000 + i * 4096)), [1, 2, 3, 4, 5]);
});

Deno.test("Vm refuses addresses that are not canonical, and 5-level paging on a processor without", () => {
  const { vm } = new PagedGuest(LA57, 4);
  const refused = (address: bigint | number) => assertThrows(() => vm.access(0, "read", address, 8), RangeError);
  assertEquals(refused(2n ** 47n).message, "Cannot access 0x800000000000: not canonical");
  refused(2n ** 47n - 4n);
  refused(0xffff_7fff_ffff_fff0n);
  refused(2 ** 60);
  const five = new PagedGuest(LA57, 5);
  assertThrows(() => five.vm.access(0, "read", 2n ** 56n, 4), RangeError, "not canonical");
  assertThrows(() => new PagedGuest(PROFILES.linux_3_11_shadow, 5), RangeError, "has no LA57");
});
