import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { explore, replay } from "@mmu-lab/explorer";
import { narrowEra } from "@mmu-lab/invalidation";
import { PROFILES } from "@mmu-lab/machine";
import { type Era, ERAS, type UpdatePhase } from "@mmu-lab/memslots";
import { mmioLayout } from "@mmu-lab/spte-encoding";
import { BUGS } from "./bugs/bugs.ts";
import { bugWorld, findBug } from "./bugs/find_bug.ts";

for (const bug of Object.values(BUGS)) {
  Deno.test(`${bug.id} is found without its schedule, replays from it, and is gone with the fix: ${bug.title}`, () => {
    const { found, report, fixedReport, fixedIsClean } = findBug(bug);
    assert(found, report.violation?.message ?? "nothing was found");
    assertEquals(fixedReport.violation, undefined);
    assert(fixedIsClean);
    const { message, schedule, steps } = report.violation!;
    const replayed = replay(bugWorld(bug), schedule);
    assertEquals(replayed.violation, message);
    assert(replayed.steps.length >= steps);
  });
}

Deno.test("findBug() does not call a bug found when something else is wrong", () => {
  const { found, report } = findBug({ ...BUGS.B01, breaks: "liveness" });
  assertEquals(report.verdict, "unsound");
  assertEquals(found, false);
});

Deno.test("findBug() says that a fix is not clean when its exploration was cut short", () => {
  const { found, fixedIsClean } = findBug(BUGS.B01, { maxStates: 50 });
  assertEquals([found, fixedIsClean], [true, false]);
});

Deno.test("the layout of B07 differs from the fixed one in nothing but the upper half of the generation", () => {
  const [wrong, right] = [BUGS.B07.profile().layout(), BUGS.B07.fixed().layout()];
  assertEquals(right, mmioLayout("linux_5_11_ept"));
  assertEquals(wrong.fields, right.fields);
  assertEquals(wrong.encode(0xfee00, 7, 0), right.encode(0xfee00, 7, 0));
  assertEquals(wrong.encodeLo(0xfee00, 7, 511), right.encodeLo(0xfee00, 7, 511));
  assertEquals(right.generationOf(...lanes(right.encode(0xfee00, 7, 512))), 512);
  assertEquals(wrong.generationOf(...lanes(wrong.encode(0xfee00, 7, 512))), 0);
});

// 152482580a1b put the zap after the grace period and before the final number. A vCPU that begins to read memslots after
// that grace period, reads the old spte before the zap, and the number after the update, is misled all the same.
const ZAP_BEFORE_THE_FINAL_NUMBER: readonly Era[] = [
  narrowEra(withWrapAt(ERAS.G2, "published"), 3),
  // Numbers of 5.13 that meet those of the scenario: 4 when the vCPU is there.
  narrowEra({ ...ERAS.G8, memslots: { ...ERAS.G8.memslots, start: (asId) => 2 + asId } }, 3),
];

for (const era of ZAP_BEFORE_THE_FINAL_NUMBER) {
  Deno.test(`a zap just before the final number leaves a window of B04 (${era.kernels}); one before publication none`, () => {
    const base = era.name === "G8" ? PROFILES.linux_5_13_ept : BUGS.B04.fixed();
    const asReleased = explore(bugWorld(BUGS.B04, { ...base, era }));
    assertStringIncludes(asReleased.violation!.message, "stale MMIO");
    const early = explore(bugWorld(BUGS.B04, { ...base, era: withWrapAt(era, "publishing") }));
    assertEquals(early.violation, undefined);
    assert(early.exhaustive);
  });
}

function withWrapAt(era: Era, wrapCheckedAt: UpdatePhase): Era {
  return { ...era, mmio: { ...era.mmio!, wrapCheckedAt } };
}

function lanes({ lo, hi }: { lo: number; hi: number }): [number, number] {
  return [lo, hi];
}
