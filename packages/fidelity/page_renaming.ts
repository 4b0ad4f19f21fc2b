/** So few pages are not worth a sweep. */
const FIRST_SWEEP = 1024;

/**
 * Renames the model's shadow pages to the kernel's: a bijection at every moment. A page of the model has one frame of the
 * recorded machine for as long as it lives; a frame may serve another page once the first is gone.
 */
export class PageRenaming {
  readonly #frameOf: Map<number, number> = new Map();
  readonly #serialIn: Map<number, number> = new Map();
  readonly #isLive: (serial: number) => boolean;
  /** How many pages are known when those that are gone are looked for. */
  #sweepAt = FIRST_SWEEP;

  /**
   * Makes an empty renaming.
   *
   * @param isLive Whether the model still has the page of that serial.
   */
  constructor(isLive: (serial: number) => boolean) {
    this.#isLive = isLive;
  }

  /**
   * Whether a page of the model and a frame of the kernel can be one and the same.
   *
   * @param serial Serial of the model's page.
   * @param frame Frame of the kernel's page.
   */
  canMatch(serial: number, frame: number): boolean {
    const known = this.#frameOf.get(serial);
    if (known !== undefined) return known === frame;
    const other = this.#serialIn.get(frame);
    return other === undefined || !this.#isLive(other);
  }

  /** Makes them one and the same from now on, if they can be; says whether they can. */
  match(serial: number, frame: number): boolean {
    if (!this.canMatch(serial, frame)) return false;
    this.#frameOf.set(serial, frame);
    this.#serialIn.set(frame, serial);
    return true;
  }

  /**
   * Forgets pages that are gone, if many may be: memory then stays within twice what is there still, and a call costs O(1)
   * amortized. To be called between operations, for the events of one are compared when its pages are gone already.
   */
  sweep(): void {
    if (this.#frameOf.size < this.#sweepAt) return;
    for (const [serial, frame] of this.#frameOf) {
      if (this.#isLive(serial)) continue;
      this.#frameOf.delete(serial);
      if (this.#serialIn.get(frame) === serial) this.#serialIn.delete(frame);
    }
    this.#sweepAt = Math.max(FIRST_SWEEP, 2 * this.#frameOf.size);
  }

  /** The frame of a page, if it has one already. */
  frameOf(serial: number): number | undefined {
    return this.#frameOf.get(serial);
  }

  /** Whether a page that is there still has the frame. */
  hasFrame(frame: number): boolean {
    const serial = this.#serialIn.get(frame);
    return serial !== undefined && this.#isLive(serial);
  }
}
