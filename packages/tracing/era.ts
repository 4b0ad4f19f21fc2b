/** A range of kernel releases whose tracepoints print alike, named by the release that was read or recorded. */
export type Era = "3.11" | "3.13" | "4.10" | "4.19" | "6.1" | "6.12";

/** Every era, oldest first. */
export const ERAS: readonly Era[] = ["3.11", "3.13", "4.10", "4.19", "6.1", "6.12"];
