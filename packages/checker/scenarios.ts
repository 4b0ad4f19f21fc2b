import type { CheckScenario } from "./check_scenario.ts";

const GFN = 0xd0000;
const SLOT = { id: 1, gpa: GFN * 4096, size: 4096, flags: 0, userspaceAddr: 0x7f0000000000 };
const READ = { kind: "read", gfn: GFN } as const;
const WRITE = { kind: "write", gfn: GFN } as const;

/** Both vCPUs have used the page before. */
const BOTH_HAVE_USED_IT = [0, 1].map((vcpu) => ({ op: "access", vcpu, ...READ }) as const);

/** Small scenarios of two vCPUs with two accesses each, and one memslot update, by name. */
export const CHECK_SCENARIOS: Readonly<Record<string, CheckScenario>> = Object.fromEntries(
  ([
    {
      name: "create",
      summary: "a slot is created over a page that nobody has touched yet",
      prelude: [],
      vcpus: [[READ, READ], [READ, READ]],
      updates: [SLOT],
    },
    {
      name: "create-used",
      summary: "a slot is created over a page that both vCPUs have used as MMIO",
      prelude: BOTH_HAVE_USED_IT,
      vcpus: [[READ, READ], [READ, READ]],
      updates: [SLOT],
    },
    {
      name: "delete",
      summary: "a slot that both vCPUs use is deleted",
      prelude: [{ op: "memslot", ...SLOT }, ...BOTH_HAVE_USED_IT],
      vcpus: [[READ, READ], [READ, READ]],
      updates: [{ ...SLOT, size: 0 }],
    },
    {
      name: "move",
      summary: "a slot that both vCPUs use is moved to the next page",
      prelude: [{ op: "memslot", ...SLOT }, ...BOTH_HAVE_USED_IT],
      vcpus: [[READ, READ], [READ, READ]],
      updates: [{ ...SLOT, gpa: SLOT.gpa + 4096 }],
    },
    {
      name: "flags",
      summary: "dirty logging is switched on for a slot that both vCPUs write",
      prelude: [{ op: "memslot", ...SLOT }, ...BOTH_HAVE_USED_IT],
      vcpus: [[WRITE, READ], [WRITE, READ]],
      updates: [{ ...SLOT, flags: 1 }],
    },
  ] satisfies CheckScenario[]).map((scenario) => [scenario.name, scenario]),
);
