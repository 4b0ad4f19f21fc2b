/** Data that is no scenario: what is wrong, where, and how to mend it. */
export class ScenarioError extends TypeError {
  /** `ScenarioError`. */
  override readonly name: string = "ScenarioError";
  /** The place, such as `operations[17].gva`; empty for the scenario as a whole. */
  readonly place: string;
  /** What to do about it. */
  readonly mend: string;

  /**
   * Makes the error, and its message.
   *
   * @param place Where.
   * @param problem What is wrong there.
   * @param mend What to do about it, in the imperative.
   */
  constructor(place: string, problem: string, mend: string) {
    super(`Cannot use the scenario: ${place === "" ? "it" : place} ${problem}; ${mend}`);
    this.place = place;
    this.mend = mend;
  }
}
