import { MMIO_LAYOUT_NAMES, type MmioLayout, mmioLayout } from "@mmu-lab/spte-encoding";
import type { OptionSpec } from "./command.ts";
import type { CommandArgs } from "./command_args.ts";
import { InputError, messageOf } from "./input_error.ts";
import { didYouMean } from "./suggest.ts";

/** The options that choose how MMIO sptes look. */
export const LAYOUT_OPTIONS: readonly OptionSpec[] = [
  { name: "layout", value: "NAME", summary: "kernel era and paging mode; see: lab list layouts" },
  { name: "maxphyaddr", value: "N", summary: "MAXPHYADDR of the host, 36 to 52; 40 unless told" },
  { name: "l1tf", summary: "the processor has the L1TF bug (looked at from 5.11 on)" },
  { name: "cache-bits", value: "N", summary: "x86_cache_bits, such as 44 on Haswell; MAXPHYADDR unless told" },
];

/**
 * Makes the layout that the arguments ask for.
 *
 * @throws {InputError} If there is none of that name, or a number is out of range.
 */
export function layoutOf(args: CommandArgs): MmioLayout {
  const name = args.required("layout");
  if (!MMIO_LAYOUT_NAMES.includes(name)) {
    throw new InputError(`Unknown layout '${name}'${didYouMean(name, MMIO_LAYOUT_NAMES)}`);
  }
  const maxPhyAddr = args.integer("maxphyaddr", 36, 52);
  const cacheBits = args.integer("cache-bits", maxPhyAddr ?? 40, 52);
  try {
    return mmioLayout(name, {
      l1tf: args.flag("l1tf"),
      ...(maxPhyAddr === undefined ? {} : { maxPhyAddr }),
      ...(cacheBits === undefined ? {} : { cacheBits }),
    });
  } catch (error) {
    throw new InputError(messageOf(error), { cause: error });
  }
}
