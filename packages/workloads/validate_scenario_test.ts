import { assertEquals, assertThrows } from "@std/assert";
import { ScenarioError } from "./scenario_error.ts";
import { validateScenario } from "./validate_scenario.ts";

const START = [{ op: "vcpu-create" }];
const READ = { op: "read", vcpu: 0, gva: 0xd0000000, size: 4 };
const SLOT = { op: "memslot", id: 1, gpa: 0, size: 4096, flags: 0, userspaceAddr: 4096 };
const GOOD = { version: 1, name: "mine", guest: "flat", hostMemory: [{ hva: 4096, size: 8192 }], operations: [] };

function rejects(change: Record<string, unknown>, place: string, message: string) {
  const error = assertThrows(() => validateScenario({ ...GOOD, ...change }), ScenarioError, message);
  assertEquals(error.place, place);
}

function rejectsOperations(operations: unknown[], place: string, message: string, guest = "flat") {
  rejects({ operations, guest }, place, message);
}

Deno.test("validateScenario() returns what it is given", () => {
  const scenario = { ...GOOD, operations: [...START, SLOT, READ, { op: "bulk-flags", id: 1, count: 3, seq: 9 }] };
  assertEquals(validateScenario(scenario) as unknown, scenario);
});

Deno.test("validateScenario() rejects what is no scenario", () => {
  for (const value of [null, [], 1, "text"]) {
    assertThrows(() => validateScenario(value), ScenarioError, "Cannot use the scenario: it is");
  }
  rejects({ version: 2 }, "version", "version is 2; write 1");
  rejects({ name: "" }, "name", 'name is ""; write some text');
  rejects({ guest: "linux" }, "guest", 'guest is "linux"; write one of: "flat", "paged", "recorder"');
  rejects({ opertions: [] }, "opertions", "opertions is no part of a scenario here; remove it, or use one of: version");
  rejects({ operations: undefined }, "operations", "operations is missing; write an array");
  rejects({ maxShadowPages: 0.5 }, "maxShadowPages", "write a whole number from 64");
});

Deno.test("validateScenario() rejects bad host memory", () => {
  const at = (region: unknown) => ({ hostMemory: [region] });
  rejects(at({ hva: 100, size: 4096 }), "hostMemory[0].hva", "is 100; write a multiple of 4096");
  rejects(at({ hva: 4096, size: 0 }), "hostMemory[0].size", "from 4096 to");
  rejects(at({ hva: 4096, size: 4096, pages: "2m" }), "hostMemory[0].pages", 'write one of: "4k"');
  rejects(at({ hva: 4096, size: 4096, fill: [1] }), "hostMemory[0].fill", "has 1 words");
  rejects(
    { hostMemory: [{ hva: 8192, size: 4096 }, { hva: 4096, size: 8192 }] },
    "hostMemory[0].hva",
    "is 8192, inside hostMemory[1]; write 12288 or more",
  );
});

Deno.test("validateScenario() rejects operations, with place and mend", () => {
  rejectsOperations([{ op: "raed" }], "operations[0].op", 'is "raed"; write one of: "read"');
  rejectsOperations([...START, { ...READ, gva: -1 }], "operations[1].gva", "is -1; write a whole number from 0");
  rejectsOperations([...START, { ...READ, size: 9 }], "operations[1].size", "is 9; write a whole number from 1 to 8");
  rejectsOperations([...START, { ...READ, value: "0x1" }], "operations[1].value", "is no part of a scenario here");
  rejectsOperations(
    [...START, { ...READ, op: "write", size: 1, value: "0x123" }],
    "operations[1].value",
    'is "0x123"; write "0x" and at most 2 hexadecimal digits',
  );
  rejectsOperations([{ ...SLOT, flags: "1" }], "operations[0].flags", 'is the text "1"; write the number 1');
  rejectsOperations([{ op: "bulk-flags", id: 1, count: 3 }], "operations[0].id", "is 1, a slot never created");
  rejectsOperations([{ op: "vm-destroy" }, SLOT], "operations[1]", "comes after the VM is destroyed");
});

Deno.test("validateScenario() wants vCPUs created in order, and before their use", () => {
  rejectsOperations([READ], "operations[0].vcpu", 'put {"op":"vcpu-create","vcpu":0} before it');
  rejectsOperations([{ op: "vcpu-create", vcpu: 1 }], "operations[0].vcpu", "is 1, out of order; write 0");
  rejectsOperations([...START, { op: "vcpu-start", vcpu: 1 }], "operations[1].vcpu", "does not exist");
  rejectsOperations([{ op: "set-smm", vcpu: 0, on: true }], "operations[0].vcpu", "does not exist");
});

Deno.test("validateScenario() wants to know whether system management mode is entered or left", () => {
  rejectsOperations([...START, { op: "set-smm", vcpu: 0 }], "operations[1].on", "write true or false");
  rejectsOperations([...START, { op: "set-smm", vcpu: 0, on: 1 }], "operations[1].on", "is 1; write true or false");
});

Deno.test("validateScenario() knows what the recorder's guest can do", () => {
  const start = [...START, { op: "vcpu-start" }];
  const rejected = (operations: unknown[], place: string, message: string) =>
    rejectsOperations(operations, place, message, "recorder");
  rejected([...START, READ], "operations[1].vcpu", 'which has not started; put {"op":"vcpu-start","vcpu":0} before it');
  rejected([...start, { ...READ, size: 3 }], "operations[2].size", "write 1 or 2 or 4 or 8");
  rejected([...start, { ...READ, op: "rmw", size: 8 }], "operations[2].size", 'write 4, or use the guest "flat"');
  rejected([...start, { ...READ, gva: 2 ** 40 }], "operations[2].gva", "from 0 to 1099511627772");
});

Deno.test("validateScenario() wants CR3 of a guest with page tables, and of no other", () => {
  const paged = { ...GOOD, guest: "paged", cr3: 0x1000 };
  const operations = [...START, { op: "load-cr3", vcpu: 0, cr3: 0x2000 }, { op: "invlpg", vcpu: 0, gva: 0x5008 }];
  assertEquals(validateScenario({ ...paged, operations }) as unknown, { ...paged, operations });
  rejects({ guest: "paged" }, "cr3", "cr3 is missing");
  rejects({ guest: "paged", cr3: 0x1008 }, "cr3", "write a multiple of 4096");
  rejects({ cr3: 0x1000 }, "cr3", 'is for the guest "paged", not "flat"; leave it out');
  rejectsOperations([...START, { op: "invlpg", vcpu: 0, gva: 0 }], "operations[1].op", 'use the guest "paged"');
  const wrong = (operation: unknown, place: string, message: string) =>
    rejects({ guest: "paged", cr3: 0x1000, operations: [...START, operation] }, `operations[1].${place}`, message);
  wrong({ op: "load-cr3", vcpu: 0, cr3: 8 }, "cr3", "write a multiple of 4096");
  wrong({ op: "load-cr3", vcpu: 1, cr3: 0 }, "vcpu", "does not exist");
  wrong({ op: "invlpg", vcpu: 0, gva: -1 }, "gva", "write a whole number from 0");
});

Deno.test("validateScenario() wants an EPTP to enter L2, and need not have one to flush", () => {
  const operations = [
    ...START,
    { op: "enter-l2", vcpu: 0, eptp: 0x101e },
    { op: "leave-l2", vcpu: 0 },
    { op: "invept", vcpu: 0 },
    { op: "invept", vcpu: 0, eptp: 0x101e },
  ];
  assertEquals(validateScenario({ ...GOOD, operations }) as unknown, { ...GOOD, operations });
  rejectsOperations([...START, { op: "enter-l2", vcpu: 0 }], "operations[1].eptp", "is missing");
  rejectsOperations([...START, { op: "leave-l2", vcpu: 1 }], "operations[1].vcpu", "does not exist");
});
