import { HIDDEN_FRAME } from "./mask_frames.ts";
import { PageRenaming } from "./page_renaming.ts";
import type { Place } from "./places.ts";

/**
 * Renames what the model has to the recorded machine's frames. Shadow pages: see {@linkcode PageRenaming}; host memory
 * stays where it is, so a frame of it is renamed once and for all, a large page as a whole. The kernel's pointers are
 * frames of its direct map, which lies at one place as long as the machine runs: so a page that is shown by pointer and by
 * physical address must have the same distance between the two as all others.
 */
export class FrameRenaming {
  readonly #tables: PageRenaming;
  readonly #pointers: PageRenaming;
  readonly #ram = new PageRenaming(() => true);
  /** The recorded unit of 512 frames for each of the model's that is mapped large, and the other way round. */
  readonly #large = new PageRenaming(() => true);
  /** How far the direct map is from physical memory, in frames, once that is known. */
  #directMap: number | undefined;

  /**
   * Makes an empty renaming.
   *
   * @param isLive Whether the model still has the shadow page of that serial.
   */
  constructor(isLive: (serial: number) => boolean) {
    this.#tables = new PageRenaming(isLive);
    this.#pointers = new PageRenaming(isLive);
  }

  /** Whether a place of the model can be a frame of the recorded machine. Renames nothing. */
  canMatch(place: Place | undefined, frame: number | undefined): boolean {
    if (place === undefined || frame === undefined) return place === frame;
    if (frame === HIDDEN_FRAME) return true;
    if (place.kind === "ram") return this.#canMatchRam(place.pfn, place.level, frame);
    if (!isPointer(frame)) return this.#tables.canMatch(place.serial, frame);
    const physical = this.#tables.frameOf(place.serial);
    return this.#pointers.canMatch(place.serial, frame) &&
      (physical === undefined || this.#directMap === undefined || frame - physical === this.#directMap);
  }

  /** Makes them one from now on, if they can be; says whether they can. */
  match(place: Place | undefined, frame: number | undefined): boolean {
    if (!this.canMatch(place, frame)) return false;
    if (place === undefined || frame === undefined || frame === HIDDEN_FRAME) return true;
    if (place.kind === "ram") return this.#matchRam(place.pfn, place.level, frame);
    if (!isPointer(frame)) return this.#tables.match(place.serial, frame);
    const physical = this.#tables.frameOf(place.serial);
    if (physical !== undefined) this.#directMap = frame - physical;
    return this.#pointers.match(place.serial, frame);
  }

  /** See {@linkcode PageRenaming.sweep}. */
  sweep(): void {
    this.#tables.sweep();
    this.#pointers.sweep();
  }

  #canMatchRam(pfn: number, level: number, frame: number): boolean {
    if (level > 1) {
      for (let unit = 0; unit < 512 ** (level - 2); unit++) {
        if (!this.#large.canMatch(Math.floor(pfn / 512) + unit, Math.floor(frame / 512) + unit)) return false;
      }
      return pfn % 512 === frame % 512;
    }
    const large = this.#large.frameOf(Math.floor(pfn / 512));
    if (large !== undefined) return frame === large * 512 + pfn % 512;
    return this.#ram.canMatch(pfn, frame) && !this.#large.hasFrame(Math.floor(frame / 512));
  }

  #matchRam(pfn: number, level: number, frame: number): boolean {
    if (level === 1) return this.#ram.match(pfn, frame);
    for (let unit = 0; unit < 512 ** (level - 2); unit++) {
      if (!this.#matchUnit(Math.floor(pfn / 512) + unit, Math.floor(frame / 512) + unit)) return false;
    }
    return true;
  }

  /** 512 frames at once: all that was renamed before among them must agree. */
  #matchUnit(unit: number, frameUnit: number): boolean {
    if (this.#large.frameOf(unit) === frameUnit) return true;
    for (let i = 0; i < 512; i++) if (!this.#ram.canMatch(unit * 512 + i, frameUnit * 512 + i)) return false;
    return this.#large.match(unit, frameUnit);
  }
}

/** Kernel pointers lie in the upper half of 64 bits, frames below 2^40. */
function isPointer(frame: number): boolean {
  return frame >= 2 ** 51;
}
