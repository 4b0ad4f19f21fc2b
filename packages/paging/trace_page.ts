import { packSpRole, type TraceEvent } from "@mmu-lab/tracing";
import type { Mmu } from "./mmu.ts";
import type { PageId } from "./pages/page_pool.ts";
import { accessOf, hasEferNx, hasFourByteGptes, isDirect, isInvalid, levelOf, quadrantOf } from "./pages/role.ts";

/** The address of an spte in tracepoints: by the page's serial, which no later page shares. */
export function sptepOf(mmu: Mmu, page: PageId, index: number): number {
  return mmu.pool.serial[page] * 512 + index;
}

/**
 * Emits a tracepoint that shows a shadow page. Call it only while the sink is on.
 *
 * @param created For `kvm_mmu_get_page`: whether the page was made or found.
 */
export function tracePage(mmu: Mmu, event: TraceEvent, page: PageId, created?: "new" | "existing"): void {
  const { pool, trace } = mmu;
  const role = pool.role[page];
  const packed = packSpRole({
    level: levelOf(role),
    access: accessOf(role),
    direct: isDirect(role),
    invalid: isInvalid(role),
    quadrant: quadrantOf(role),
    nxe: hasEferNx(role) || (isDirect(role) && mmu.pageRules.directNx),
    // Without the bits in the hardware's format (`ad_disabled`, from 4.14 on).
    adDisabled: mmu.bits.accessed === 0,
    fourByteGpte: hasFourByteGptes(role),
    pae: !isDirect(role) && !hasFourByteGptes(role),
  });
  trace.emit(
    event,
    -1,
    // Pages of the TDP MMU have no generation: the kernel prints 0.
    mmu.tdp === undefined ? pool.validGen[page] : 0,
    pool.gfn[page],
    packed,
    pool.rootCount[page],
    pool.isUnsync(page) ? 1 : 0,
    created === "new" ? 1 : 0,
  );
}
