import { DEVICES, LEAF_TABLE_SPAN, PAGE, ScenarioBuilder } from "./_scenario_builder.ts";
import type { Workload } from "./workload.ts";

/** Where the big slot of {@linkcode MANY_PAGES} lies. */
const RAM = 0x1_0000_0000;
/** Where small slots come and go, far from all else: below the devices. */
const FAR = 0x1000_0000;
/** Updates of a storm; each needs a slot number, of which 3.11 has 125. */
const UPDATES = 64;
/** The number of the first of those slots. */
const FIRST_ID = 10;
const DEVICE_PAGES = 8;

/** `many-pages`. */
export const MANY_PAGES: Workload = {
  summary:
    "one leaf table for each of `pages` RAM pages, few MMIO sptes, 64 slots created far away: a walk pays for RAM",
  defaultPages: 2048,
  generate(options) {
    const { pages } = options;
    const builder = new ScenarioBuilder(options);
    // Memory 4 KiB off, so that a huge page fits nowhere, and each touch needs a leaf table of its own.
    builder.create(0, RAM, pages * LEAF_TABLE_SPAN, 0, PAGE);
    for (let i = 0; i < pages; i++) {
      builder.access("write", RAM + i * LEAF_TABLE_SPAN + builder.random.below(512) * PAGE);
    }
    const devices = Array.from({ length: DEVICE_PAGES }, (_, i) => DEVICES + i * LEAF_TABLE_SPAN);
    for (const device of devices) builder.access("read", device);
    for (let update = 0; update < UPDATES; update++) {
      builder.create(FIRST_ID + update, FAR + update * 2 * PAGE, PAGE);
      for (const device of builder.random.shuffled(devices)) {
        builder.access("read", device + 8 * builder.random.below(512));
      }
      builder.access("write", RAM + builder.random.below(pages) * LEAF_TABLE_SPAN);
    }
    // One leaf table a touch, the tables above them, and room for those of the devices.
    const tables = pages + Math.ceil(pages / 512) + Math.ceil(pages / 512 ** 2) + 4 * DEVICE_PAGES + 64;
    return builder.build("many-pages", `${pages} leaf tables, ${UPDATES} slots created`, tables);
  },
};

/** `mmio-hit`. */
export const MMIO_HIT: Workload = {
  summary: "8 device pages hit `pages` times each, no update: the price of trusting an MMIO spte",
  defaultPages: 512,
  generate(options) {
    const builder = new ScenarioBuilder(options);
    const devices = Array.from({ length: DEVICE_PAGES }, (_, i) => DEVICES + i * PAGE);
    for (let round = 0; round < options.pages; round++) {
      // In another order each time: a vCPU remembers its last MMIO page, and would not look at the spte again.
      for (const device of builder.random.shuffled(devices)) {
        builder.access(builder.random.pick(["read", "write"]), device + 8 * builder.random.below(512));
      }
    }
    return builder.build("mmio-hit", `${DEVICE_PAGES} device pages, ${options.pages} hits each`);
  },
};

/** `refault`. */
export const REFAULT: Workload = {
  summary: "`pages` device pages hit twice, then a slot created far away, 64 times: the price of making all anew",
  defaultPages: 64,
  generate(options) {
    const builder = new ScenarioBuilder(options);
    const devices = Array.from({ length: options.pages }, (_, i) => DEVICES + i * PAGE);
    for (let update = 0; update < UPDATES; update++) {
      for (const device of devices) builder.access("read", device);
      for (const device of builder.random.shuffled(devices)) builder.access("write", device);
      builder.create(FIRST_ID + update, FAR + update * 2 * PAGE, PAGE);
    }
    return builder.build("refault", `${options.pages} device pages, ${UPDATES} slots created`);
  },
};

/** `first-touch`. */
export const FIRST_TOUCH: Workload = {
  summary: "`pages` device pages touched once each, in any order: the price of making MMIO sptes",
  defaultPages: 4096,
  generate(options) {
    const builder = new ScenarioBuilder(options);
    const order = builder.random.shuffled(Array.from({ length: options.pages }, (_, i) => i));
    for (const page of order) {
      builder.access(builder.random.pick(["read", "write"]), DEVICES + page * PAGE, builder.random.pick([1, 2, 4, 8]));
    }
    return builder.build("first-touch", `${options.pages} device pages, once each`);
  },
};
