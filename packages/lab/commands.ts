import type { Command } from "./command.ts";
import { accessCommand } from "./access_command.ts";
import { bugsCommand } from "./bugs_command.ts";
import { checkCommand } from "./check_command.ts";
import { compareCommand } from "./compare_command.ts";
import { conformCommand } from "./conform_command.ts";
import { decodeCommand } from "./decode_command.ts";
import { demoCommand } from "./demo_command.ts";
import { encodeCommand } from "./encode_command.ts";
import { listCommand } from "./list_command.ts";
import { replayCommand } from "./replay_command.ts";
import { simulateCommand } from "./simulate_command.ts";
import { walksCommand } from "./walks_command.ts";

/** All commands, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  demoCommand,
  compareCommand,
  simulateCommand,
  checkCommand,
  bugsCommand,
  conformCommand,
  replayCommand,
  walksCommand,
  accessCommand,
  decodeCommand,
  encodeCommand,
  listCommand,
];
