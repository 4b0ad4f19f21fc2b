import { MEM_LOG_DIRTY_PAGES, MEM_READONLY } from "@mmu-lab/memslots";
import { DEVICES, PAGE, ScenarioBuilder } from "./_scenario_builder.ts";
import type { Workload } from "./workload.ts";

const DIMMS = 0x1_0000_0000;
const DIMM_SIZE = 0x800_0000;

/** `hotplug`. */
export const HOTPLUG: Workload = {
  summary:
    "memory of 128 MiB plugged and unplugged 16 times, `pages` of it touched, devices hit: deletes zap everything",
  defaultPages: 64,
  generate(options) {
    const builder = new ScenarioBuilder(options);
    const most = DIMM_SIZE / PAGE;
    if (options.pages > most) {
      throw new RangeError(`Cannot generate hotplug with ${options.pages} pages: the memory has ${most}`);
    }
    builder.create(0, 0, 0x10_0000);
    for (let round = 0; round < 16; round++) {
      const gpa = DIMMS + (round % 4) * DIMM_SIZE;
      builder.create(1, gpa, DIMM_SIZE);
      for (let page = 0; page < options.pages; page++) builder.access("write", gpa + page * PAGE);
      for (let device = 0; device < 4; device++) builder.access("read", DEVICES + device * PAGE);
      builder.delete(1);
      builder.access("read", gpa); // nothing is there now
      for (let device = 0; device < 4; device++) builder.access("write", DEVICES + device * PAGE);
    }
    return builder.build("hotplug", `128 MiB in 16 rounds, ${options.pages} pages touched`);
  },
};

const VGA = 0xa0000;
const VGA_SIZE = 0x10000;
const TEXT_PAGE = 0xb8000;
const BOOT_DEVICES = [0xfec00000, 0xfed00000, 0xfee00000, 0xfebf0000, 0xfebf1000];

/** `vga-toggle`. */
export const VGA_TOGGLE: Workload = {
  summary:
    "the VGA window is MMIO, then RAM, `pages` times by turns, as in a boot: MMIO sptes turn stale where it hurts",
  defaultPages: 32,
  generate(options) {
    const builder = new ScenarioBuilder(options);
    builder.create(1, 0x10_0000, 0x10_0000);
    builder.create(2, 0xc0000, 0x20000, MEM_READONLY);
    for (let round = 0; round < options.pages; round++) {
      builder.access("write", VGA, 1);
      builder.access("write", TEXT_PAGE, 2);
      builder.access("read", TEXT_PAGE, 2);
      for (const device of BOOT_DEVICES) {
        builder.access("read", device);
        builder.access("write", device + 0x10);
      }
      builder.create(4, VGA, VGA_SIZE, round % 2 === 1 ? MEM_LOG_DIRTY_PAGES : 0);
      for (let page = 0; page < 4; page++) builder.access("write", VGA + page * PAGE);
      builder.access("write", TEXT_PAGE, 2);
      if (round % 2 === 1) builder.push({ op: "get-dirty-log", id: 4 });
      for (const device of BOOT_DEVICES) builder.access("read", device);
      builder.delete(4);
      builder.access("write", VGA, 1);
      builder.access("write", VGA + 1, 1);
      builder.access("read", VGA, 1);
    }
    return builder.build("vga-toggle", `${options.pages} rounds of the VGA window`);
  },
};

/** Updates in one go; a wrap of 3.11 comes with update 150 of a VM, or 149 if KVM makes a slot itself. */
const BEFORE_WRAP = 140;

/** `wrap`. */
export const WRAP: Workload = {
  summary: "one update at a time through the first wrap of 3.11 (updates 141 to 162), 4 devices hit; `pages` unused",
  defaultPages: 1,
  generate(options) {
    const builder = new ScenarioBuilder(options);
    builder.create(0, 0, 0x10_0000);
    builder.create(5, 0x1000_0000, PAGE);
    builder.access("write", 0x1000);
    for (let device = 0; device < 4; device++) builder.access("read", DEVICES + device * PAGE);
    builder.push({ op: "bulk-flags", id: 5, count: BEFORE_WRAP - 2 });
    for (let update = 0; update < 22; update++) {
      builder.flags(5, (update + 1) % 2 * MEM_LOG_DIRTY_PAGES);
      for (let device = 0; device < 4; device++) builder.access("read", DEVICES + device * PAGE);
      builder.access("write", 0x1000);
    }
    return builder.build("wrap", "22 updates around the first wrap of Linux 3.11");
  },
};

const PLACES = [0xc000_0000, 0xd000_0000, 0x1000_0000];
const IDS = [1, 2, 3, 4, 5, 6];

/** `random`. */
export const RANDOM: Workload = {
  summary:
    "`pages` operations at random in 24 pages: accesses, creates, deletes, moves, flags, dirty logs, some refused",
  defaultPages: 1024,
  generate(options) {
    const builder = new ScenarioBuilder(options);
    const { random } = builder;
    const anyPage = () => random.pick(PLACES) + random.below(8) * PAGE;
    for (let operation = 0; operation < options.pages; operation++) {
      const dice = random.below(100);
      const used = builder.ids;
      const free = IDS.filter((id) => !used.includes(id));
      if (dice < 80 || (dice >= 88 && used.length === 0)) {
        const kind = random.pick(["read", "read", "write", "write", "rmw"] as const);
        const size = kind === "rmw" ? 4 : random.pick([1, 2, 4, 8] as const);
        builder.access(kind, anyPage() + random.below(512) * 8, size, builder.anyVcpu());
      } else if (dice < 88) {
        const [gpa, size] = [anyPage(), (1 + random.below(3)) * PAGE];
        const flags = random.pick([0, 0, 0, MEM_LOG_DIRTY_PAGES, MEM_READONLY]);
        if (free.length > 0 && builder.isFree(gpa, size)) builder.create(random.pick(free), gpa, size, flags);
        // Another slot is there, so it is refused.
        else if (free.length > 0) refused(builder, random.pick(free), gpa, size);
        // All numbers are taken: a slot cannot change its size, refused too.
        else refused(builder, random.pick(used), gpa, 4 * PAGE);
      } else if (dice < 92) builder.delete(random.pick(used));
      else if (dice < 94) {
        const id = random.pick(used);
        const gpa = anyPage();
        if (builder.isFree(gpa, builder.slot(id).size, id)) builder.move(id, gpa);
        else builder.call({ ...builder.slot(id), gpa }); // refused
      } else if (dice < 98) {
        const id = random.pick(used);
        builder.flags(id, builder.slot(id).flags ^ MEM_LOG_DIRTY_PAGES);
      } else builder.push({ op: "get-dirty-log", id: random.pick(used) });
    }
    return builder.build("random", `${options.pages} operations, seed ${options.seed}`);
  },
};

function refused(builder: ScenarioBuilder, id: number, gpa: number, size: number): void {
  builder.call({ op: "memslot", id, gpa, size, flags: 0, userspaceAddr: 0x7eff_0000_0000 });
}
