import type { InvalidationStrategy, StrategyFactory } from "@mmu-lab/invalidation";
import type { Era, MemslotLimits } from "@mmu-lab/memslots";
import type {
  FaultRules,
  GuestWalkRules,
  HardwareBackend,
  MmioCacheRule,
  NestedRules,
  PageRules,
  ShadowRules,
  TdpMmuRules,
} from "@mmu-lab/paging";
import type { MmioLayout } from "@mmu-lab/spte-encoding";

/** A slot that KVM makes for itself. */
export interface PrivateSlot {
  /** Its id, above those of user space. */
  readonly id: number;
  /** Where it lies. */
  readonly gpa: number;
  /** Its size in bytes. */
  readonly size: number;
}

/**
 * A whole kernel on a processor, as parts. Nothing in the MMU or the machine asks for a version number: it asks these.
 */
export interface Profile {
  /** Its name, such as `linux_3_11_ept`. */
  readonly name: string;
  /** What it is, in one line. */
  readonly summary: string;
  /** How the generation works. */
  readonly era: Era;
  /** How MMIO sptes look. */
  readonly layout: () => MmioLayout;
  /** The processor, with KVM's handlers of its exits. */
  readonly backend: () => HardwareBackend;
  /** How this kernel forgets MMIO sptes. */
  readonly strategy: StrategyFactory;
  /** Levels of the tables that map guest-physical memory: 4, or 5 for more than 256 TiB. */
  readonly rootLevel: 4 | 5;
  /** The per-vCPU MMIO cache. */
  readonly cacheRule: MmioCacheRule;
  /** What it does in the fault path. */
  readonly faultRules: FaultRules;
  /** What it does with shadow pages; as 3.11 unless told. */
  readonly pageRules?: PageRules;
  /** How it shadows guest tables; as 3.11 unless told. */
  readonly shadowRules?: ShadowRules;
  /** How it walks guest tables. */
  readonly walkRules: GuestWalkRules;
  /** Slots that the kernel allows. */
  readonly slotLimits: MemslotLimits;
  /** Slots that KVM makes when the first vCPU is created. */
  readonly privateSlots: readonly PrivateSlot[];
  /** Ids of slots that KVM deletes with the VM, in its order and in every address space, whether or not they exist. */
  readonly slotsDeletedAtEnd: readonly number[];
  /**
   * What goes when a slot is deleted or moved. `obsolete-all`: every page becomes obsolete and is zapped in batches
   * (3.11). `walk-all`: every page is zapped in one walk under `mmu_lock` (3.10). `slot-range`: only the mappings of its
   * gfns are emptied; tables and MMIO sptes stay (6.12 with KVM_X86_QUIRK_SLOT_ZAP_ALL disabled).
   */
  readonly flushSlot: "obsolete-all" | "walk-all" | "slot-range";
  /**
   * Whether the `kvm_mmio` tracepoint shows as many bytes as were accessed (e39d200fa5bf, 4.15 on), and not always eight,
   * of which the others are whatever lay there.
   */
  readonly tracesAccessedBytes?: boolean;
  /** How it shadows the EPT tables of a guest that runs a guest of its own; it lets none unless told. */
  readonly nested?: NestedRules;
  /** The TDP MMU's rules, where it does the mapping (5.10 on); shadow pages do unless told. */
  readonly tdpMmu?: TdpMmuRules;
}

/**
 * The same kernel with another invalidation strategy.
 *
 * @param profile The kernel.
 * @param strategy Makes the strategy.
 * @param name The strategy's name, for the profile's own.
 */
export function withStrategy(
  profile: Profile,
  strategy: (era: Era) => InvalidationStrategy,
  name: string,
): Profile {
  return { ...profile, name: `${profile.name}+${name}`, strategy };
}
