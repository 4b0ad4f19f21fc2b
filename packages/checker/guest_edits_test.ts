/**
 * Guests that edit their page tables while other vCPUs use them, with every interleaving of KVM's steps: what the code of
 * shadow paging touches and hashes, beyond what the scenarios of `lab check` reach.
 *
 * @module
 */
import { auditStates, auditTouches, explore, type World } from "@mmu-lab/explorer";
import { hashVcpu, hashVm, PROFILES, Vm } from "@mmu-lab/machine";
import { auditBooks, auditTlbs } from "@mmu-lab/paging";
import { point, type Protocol } from "@mmu-lab/protocol";
import { assert, assertEquals } from "@std/assert";
import { GuestTablesOf, PAGED_GUEST } from "./_guest_tables.ts";

const HOST = 0x7f8000000000;
const BITS = 0x67;
/**
 * Linear pages: the guest's table of level 1, its table of level 2, one whose entry changes, and one that is not used
 * at first.
 */
const [LEAF_TABLE, MIDDLE_TABLE, DATA, UNUSED] = [5, 6, 7, 300];
/** Frames of tables, in the order in which they are made, and of data. */
const [LEAF_FRAME, MIDDLE_FRAME, OLD_FRAME, NEW_FRAME] = [2, 3, 0x10, 0x11];
const NEXT = point("next act of the guest");

/** What a vCPU does. */
type Act =
  | { readonly act: "read"; readonly page: number }
  | { readonly act: "write"; readonly page: number; readonly index: number; readonly entry: number }
  | { readonly act: "invlpg"; readonly page: number }
  | { readonly act: "load-cr3" };

const READ: Act = { act: "read", page: DATA };
const INVLPG: Act = { act: "invlpg", page: DATA };
const LOAD_CR3: Act = { act: "load-cr3" };
const REMAP: Act = { act: "write", page: LEAF_TABLE, index: DATA, entry: NEW_FRAME * 4096 + BITS };
const REMAP_UNUSED: Act = { act: "write", page: LEAF_TABLE, index: UNUSED, entry: NEW_FRAME * 4096 + BITS };
const RELINK: Act = { act: "write", page: MIDDLE_TABLE, index: 0, entry: LEAF_FRAME * 4096 + 7 };

function worldOf(kernel: string, acts: readonly (readonly Act[])[]): World {
  const vm = new Vm(PROFILES[kernel], { maxShadowPages: 64, guest: PAGED_GUEST });
  for (const _ of acts) vm.createVcpu();
  new GuestTablesOf(
    vm,
    [[LEAF_TABLE, LEAF_FRAME], [MIDDLE_TABLE, MIDDLE_FRAME], [DATA, OLD_FRAME], [UNUSED, OLD_FRAME]].map((
      [page, gfn],
    ) => ({
      page,
      gfn,
      bits: BITS,
    })),
  );
  for (const frame of [OLD_FRAME, NEW_FRAME]) vm.writeHost(HOST + frame * 4096, BigInt(frame));
  for (let vcpu = 0; vcpu < acts.length; vcpu++) vm.access(vcpu, "read", DATA * 4096, 8);
  const at = acts.map(() => 0);
  return {
    execution: vm.execution,
    locks: [vm.slotsLock, vm.mmu.lock],
    actors: acts.map((list, vcpu) => ({ name: `vCPU ${vcpu}`, start: () => perform(vm, vcpu, list, at) })),
    hashInto: (hasher) => hashVm(vm, hasher),
    hashActor: (actor, hasher) => {
      hashVcpu(vm, vm.vcpu(actor), hasher);
      hasher.add(at[actor]);
    },
    saysWhatItTouches: () => true,
    violation: () => vm.mmu.warnings[0],
    finalViolation: () => auditBooks(vm.mmu)[0] ?? auditTlbs(vm.mmu)[0] ?? unseen(vm, acts),
  };
}

function* perform(vm: Vm, index: number, acts: readonly Act[], at: number[]): Protocol<void> {
  const vcpu = vm.vcpu(index);
  for (const [i, act] of acts.entries()) {
    if (i > 0) yield NEXT;
    at[index] = i;
    if (act.act === "invlpg") yield* vm.invlpgProtocol(vcpu, act.page * 4096);
    else if (act.act === "load-cr3") yield* vm.loadCr3Protocol(vcpu, 0x1000);
    else {
      const offset = act.act === "write" ? 8 * act.index : 0;
      if (act.act === "write") new DataView(vcpu.operand.buffer).setBigUint64(0, BigInt(act.entry), true);
      yield* vm.accessProtocol(vcpu, act.act, act.page * 4096 + offset, 8);
      vcpu.outcome.clear();
    }
  }
}

/** Once everybody has flushed, everybody sees the tables as they are. */
function unseen(vm: Vm, acts: readonly (readonly Act[])[]): string | undefined {
  const frame = acts.flat().includes(REMAP) ? NEW_FRAME : OLD_FRAME;
  for (let vcpu = 0; vcpu < acts.length; vcpu++) {
    vm.invlpg(vcpu, DATA * 4096);
    const { value } = vm.access(vcpu, "read", DATA * 4096, 8);
    if (value !== BigInt(frame)) return `vCPU ${vcpu} reads 0x${value.toString(16)}, not 0x${frame.toString(16)}`;
  }
  return undefined;
}

const EDITS: Readonly<Record<string, readonly (readonly Act[])[]>> = {
  "one entry is changed and flushed": [[REMAP, INVLPG, READ], [READ]],
  "one entry is changed while another vCPU loads CR3": [[REMAP, READ], [LOAD_CR3, READ]],
  "one entry is changed while another vCPU flushes": [[REMAP], [INVLPG, READ]],
  "an entry is written without an exit while another vCPU faults on it": [
    [REMAP, REMAP_UNUSED],
    [{ act: "read", page: UNUSED }],
  ],
  "a table is linked anew": [[RELINK, READ], [READ, LOAD_CR3]],
  "a table is linked anew while its entry is changed": [[RELINK], [REMAP, INVLPG]],
};

for (const kernel of ["linux_3_11_shadow", "linux_4_10_npt_shadow"]) {
  for (const [name, acts] of Object.entries(EDITS)) {
    Deno.test(`${kernel}: ${name}, in every interleaving`, () => {
      const world = () => worldOf(kernel, acts);
      const report = explore(world);
      assertEquals(report.violation, undefined);
      assert(report.exhaustive);
      const every = explore(() => ({ ...world(), saysWhatItTouches: () => false }));
      assertEquals(report.states, every.states);
      const states = auditStates(world, 100, 2013);
      assertEquals(states.mismatch, undefined);
      const touches = auditTouches(world, 20, 2013);
      assertEquals(touches.mismatch, undefined);
      assert(states.pairs > 20 && touches.pairs > 20, `${states.pairs} and ${touches.pairs} pairs`);
    });
  }
}
