import { arrayAt, fail, integerAt, type JsonObject, objectAt, oneOf, pageMultipleAt, stringAt } from "./_json_check.ts";
import type { Operation, Scenario } from "./scenario.ts";

const SCENARIO_KEYS: readonly (keyof Scenario)[] = [
  "version",
  "name",
  "description",
  "guest",
  "cr3",
  "hostMemory",
  "maxShadowPages",
  "operations",
];
const REGION_KEYS = ["hva", "size", "fill", "contents", "pages"];
const BACKINGS = ["4k", "transparent-huge", "hugetlb-2m", "hugetlb-1g"] as const;

/** The members of each operation, beside `op` and `seq`. */
const MEMBERS: Readonly<Record<Operation["op"], readonly string[]>> = {
  "read": ["vcpu", "gva", "size"],
  "write": ["vcpu", "gva", "size", "value"],
  "rmw": ["vcpu", "gva", "size", "value"],
  "memslot": ["asId", "id", "gpa", "size", "flags", "userspaceAddr"],
  "bulk-flags": ["asId", "id", "count"],
  "get-dirty-log": ["id"],
  "set-smm": ["vcpu", "on"],
  "host-write": ["hva", "value"],
  "load-cr3": ["vcpu", "cr3"],
  "invlpg": ["vcpu", "gva"],
  "enter-l2": ["vcpu", "eptp"],
  "leave-l2": ["vcpu"],
  "invept": ["vcpu", "eptp"],
  "vcpu-create": ["vcpu"],
  "vcpu-start": ["vcpu"],
  "vm-destroy": ["vcpu"],
};
const OPS = Object.keys(MEMBERS) as Operation["op"][];

/** KVM's slot numbers and address spaces are 16 bits each (`kvm_userspace_memory_region.slot`). */
const U16 = 2 ** 16 - 1;
const U32 = 2 ** 32 - 1;
/** Ends of guest-physical addresses, of what the recorder's guest maps, and of user space's half of memory. */
const GPA_END = 2 ** 52;
const RECORDER_END = 2 ** 40;
const HVA_END = 2 ** 47;

/** What operations so far have made. */
interface State {
  readonly guest: Scenario["guest"];
  vcpus: number;
  readonly started: Set<number>;
  readonly slots: Set<string>;
  destroyed: boolean;
}

function checkRegion(place: string, value: unknown): { place: string; hva: number; end: number } {
  const region = objectAt(place, value, REGION_KEYS);
  const hva = pageMultipleAt(`${place}.hva`, region["hva"], 0, HVA_END - 4096);
  const size = pageMultipleAt(`${place}.size`, region["size"], 4096, HVA_END - hva);
  if (region["pages"] !== undefined) oneOf(`${place}.pages`, region["pages"], BACKINGS);
  if (region["fill"] !== undefined) {
    const words = arrayAt(`${place}.fill`, region["fill"]);
    if (words.length !== 2) fail(`${place}.fill`, `has ${words.length} words`, "write two words of 32 bits, low first");
    words.forEach((word, i) => integerAt(`${place}.fill[${i}]`, word, 0, U32));
  }
  if (region["contents"] !== undefined) {
    arrayAt(`${place}.contents`, region["contents"]).forEach((item, i) => {
      const words = arrayAt(`${place}.contents[${i}]`, item);
      if (words.length !== 3) {
        fail(
          `${place}.contents[${i}]`,
          `has ${words.length} numbers`,
          "write an offset and two words of 32 bits, low first",
        );
      }
      integerAt(`${place}.contents[${i}][0]`, words[0], 0, size - 8);
      for (const at of [1, 2]) integerAt(`${place}.contents[${i}][${at}]`, words[at], 0, U32);
    });
  }
  return { place, hva, end: hva + size };
}

function checkHostMemory(value: unknown): void {
  const regions = arrayAt("hostMemory", value).map((region, i) => checkRegion(`hostMemory[${i}]`, region));
  regions.sort((a, b) => a.hva - b.hva);
  for (const [i, region] of regions.entries()) {
    const before = regions[i - 1];
    if (before === undefined || before.end <= region.hva) continue;
    fail(`${region.place}.hva`, `is ${region.hva}, inside ${before.place}`, `write ${before.end} or more`);
  }
}

function checkAccess(place: string, operation: JsonObject, op: string, state: State): void {
  const isRecorder = state.guest.startsWith("recorder");
  const size = integerAt(`${place}.size`, operation["size"], 1, 8);
  const sizes = op === "rmw" ? [4] : [1, 2, 4, 8];
  if (isRecorder && !sizes.includes(size)) {
    const mend = `write ${sizes.join(" or ")}, or use the guest "flat"`;
    fail(`${place}.size`, `is ${size}, for which the recorder's guest has no code`, mend);
  }
  integerAt(`${place}.gva`, operation["gva"], 0, (isRecorder ? RECORDER_END : GPA_END) - size);
  const { value } = operation;
  if (value !== undefined) {
    const hex = typeof value === "string" && /^0x[0-9a-f]{1,16}$/i.test(value) ? BigInt(value) : undefined;
    if (hex === undefined || hex >= 1n << BigInt(8 * size)) {
      fail(`${place}.value`, `is ${JSON.stringify(value)}`, `write "0x" and at most ${2 * size} hexadecimal digits`);
    }
  }
  const vcpu = checkVcpu(place, operation, state);
  if (isRecorder && !state.started.has(vcpu)) {
    fail(`${place}.vcpu`, `is ${vcpu}, which has not started`, `put {"op":"vcpu-start","vcpu":${vcpu}} before it`);
  }
}

/** Checks that a vCPU exists. */
function checkVcpu(place: string, operation: JsonObject, state: State): number {
  const vcpu = integerAt(`${place}.vcpu`, operation["vcpu"], 0, U32);
  if (vcpu < state.vcpus) return vcpu;
  fail(`${place}.vcpu`, `is ${vcpu}, which does not exist`, `put {"op":"vcpu-create","vcpu":${state.vcpus}} before it`);
}

/** Checks a memslot ioctl. What the kernel refuses is a scenario too: only what is no such call at all is wrong. */
function checkMemslot(place: string, operation: JsonObject, key: string, state: State): void {
  for (const member of ["gpa", "userspaceAddr"]) integerAt(`${place}.${member}`, operation[member], 0);
  integerAt(`${place}.flags`, operation["flags"], 0, U32);
  if (integerAt(`${place}.size`, operation["size"], 0) > 0) state.slots.add(key);
}

function checkHostWrite(place: string, operation: JsonObject): void {
  const hva = integerAt(`${place}.hva`, operation["hva"], 0, HVA_END - 8);
  if (hva % 8 !== 0) fail(`${place}.hva`, `is ${hva}`, `write a multiple of 8, such as ${hva - (hva % 8)}`);
  const { value } = operation;
  if (typeof value !== "string" || !/^0x[0-9a-f]{1,16}$/i.test(value)) {
    fail(`${place}.value`, `is ${JSON.stringify(value)}`, 'write "0x" and at most 16 hexadecimal digits');
  }
}

function checkOperation(place: string, value: unknown, state: State): void {
  const op = oneOf(`${place}.op`, objectAt(place, value, undefined)["op"], OPS);
  const operation = objectAt(place, value, ["op", "seq", ...MEMBERS[op]]);
  if (state.destroyed) fail(place, "comes after the VM is destroyed", `put "vm-destroy" last`);
  if (operation["seq"] !== undefined) integerAt(`${place}.seq`, operation["seq"], 0);
  const hasSlot = MEMBERS[op].includes("id");
  const id = hasSlot ? integerAt(`${place}.id`, operation["id"], 0, U16) : 0;
  const asId = operation["asId"] === undefined ? 0 : integerAt(`${place}.asId`, operation["asId"], 0, U16);
  const key = `${asId}:${id}`;
  switch (op) {
    case "read":
    case "write":
    case "rmw":
      checkAccess(place, operation, op, state);
      break;
    case "memslot":
      checkMemslot(place, operation, key, state);
      break;
    case "bulk-flags":
      integerAt(`${place}.count`, operation["count"], 1);
      if (!state.slots.has(key)) fail(`${place}.id`, `is ${id}, a slot never created`, "create it before");
      break;
    case "vcpu-create": {
      const vcpu = integerAt(`${place}.vcpu`, operation["vcpu"] ?? 0, 0, U32);
      if (vcpu !== state.vcpus) fail(`${place}.vcpu`, `is ${vcpu}, out of order`, `write ${state.vcpus}`);
      state.vcpus++;
      break;
    }
    case "vcpu-start":
      state.started.add(checkVcpu(place, { vcpu: 0, ...operation }, state));
      break;
    case "vm-destroy":
      state.destroyed = true;
      break;
    case "set-smm": {
      checkVcpu(place, operation, state);
      const { on } = operation;
      if (typeof on !== "boolean") fail(`${place}.on`, `is ${JSON.stringify(on) ?? "missing"}`, "write true or false");
      break;
    }
    case "host-write":
      checkHostWrite(place, operation);
      break;
    case "load-cr3":
    case "invlpg":
      checkVcpu(place, operation, state);
      if (state.guest !== "paged") {
        fail(`${place}.op`, `is "${op}", and the guest is "${state.guest}"`, 'use the guest "paged"');
      }
      if (op === "invlpg") integerAt(`${place}.gva`, operation["gva"], 0, GPA_END - 1);
      else pageMultipleAt(`${place}.cr3`, operation["cr3"], 0, GPA_END - 4096);
      break;
    case "enter-l2":
    case "leave-l2":
    case "invept":
      checkVcpu(place, operation, state);
      if (op === "enter-l2" || operation["eptp"] !== undefined) {
        integerAt(`${place}.eptp`, operation["eptp"], 0, GPA_END - 1);
      }
      break;
    case "get-dirty-log":
      break;
  }
}

/**
 * Checks that data, such as a file of JSON that somebody wrote, is a scenario that can run. A memslot call that the kernel
 * refuses is part of a scenario, and is not checked. O(operations).
 *
 * @param value The data.
 * @returns The same data.
 * @throws {ScenarioError} At the first place that is wrong: it names the place and the mend.
 *
 * @example
 * ```ts
 * import { ScenarioError, validateScenario } from "@mmu-lab/workloads";
 * import { assertThrows } from "@std/assert";
 *
 * const operations = [{ op: "vcpu-create" }, { op: "read", vcpu: 0, gva: "0xd0000000", size: 4 }];
 * assertThrows(
 *   () => validateScenario({ version: 1, name: "mine", guest: "flat", hostMemory: [], operations }),
 *   ScenarioError,
 *   'operations[1].gva is the text "0xd0000000"; write the number 3489660928',
 * );
 * ```
 */
export function validateScenario(value: unknown): Scenario {
  const scenario = objectAt("", value, SCENARIO_KEYS);
  if (scenario["version"] !== 1) {
    const { version } = scenario;
    fail(
      "version",
      version === undefined ? "is missing" : `is ${JSON.stringify(version)}`,
      "write 1, the only version",
    );
  }
  stringAt("name", scenario["name"]);
  if (scenario["description"] !== undefined) stringAt("description", scenario["description"]);
  const guest = oneOf("guest", scenario["guest"], ["flat", "paged", "recorder", "recorder-4k"]);
  if (guest === "paged") pageMultipleAt("cr3", scenario["cr3"], 0, GPA_END - 4096);
  else if (scenario["cr3"] !== undefined) fail("cr3", `is for the guest "paged", not "${guest}"`, "leave it out");
  checkHostMemory(scenario["hostMemory"]);
  if (scenario["maxShadowPages"] !== undefined) integerAt("maxShadowPages", scenario["maxShadowPages"], 64, U32);
  const state: State = { guest, vcpus: 0, started: new Set(), slots: new Set(), destroyed: false };
  arrayAt("operations", scenario["operations"]).forEach((operation, i) => {
    checkOperation(`operations[${i}]`, operation, state);
  });
  return value as Scenario;
}
