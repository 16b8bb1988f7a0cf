#!/usr/bin/env node
import { text } from "node:stream/consumers";
import { messageOf } from "../components/args/validate";
import { checkCommand } from "../components/connectivity/run";
import { labCommand } from "../components/lab/command";
import type { HereCommand } from "../components/machine/here";
import { imagesCommand } from "../components/network/images";
import { preflightCommand } from "../components/network/preflight";
import { endpointsCommand } from "../components/service/endpoints";
import { endWithUpdate } from "./orphan";

/** What each command does with its input and the words behind its name. */
const COMMANDS: Readonly<Record<HereCommand, (input: string, words: readonly string[]) => Promise<void>>> = {
  check: checkCommand,
  endpoints: endpointsCommand,
  preflight: (input) => preflightCommand(input, process.env["PULUMI_COMMAND_STDOUT"]),
  images: imagesCommand,
  "lab-keys": (input, words) => labCommand("keys", input, words),
  "lab-host": (input, words) => labCommand("host", input, words),
  "lab-network": (input, words) => labCommand("network", input, words),
  "lab-node": (input, words) => labCommand("node", input, words),
};

/** The commands that read nothing. */
const WITHOUT_INPUT: readonly string[] = ["lab-keys"];

/** As {@link runCommand}, for a command of a stack's: it ends with the update that it works for. */
export function main(words: readonly string[]): Promise<void> {
  endWithUpdate();
  return runCommand(words);
}

/**
 * The `podnet` command: `podnet COMMAND [WORD...]`, with its input as JSON on standard input. Sets the process's exit code: 0, 1
 * when it failed, 2 when there is no such command or the check could not run.
 */
export async function runCommand(words: readonly string[]): Promise<void> {
  const [name = "", ...rest] = words;
  const run = Object.hasOwn(COMMANDS, name) ? COMMANDS[name as HereCommand] : undefined;
  if (run === undefined) {
    console.error(`usage: podnet ${Object.keys(COMMANDS).join(" | ")}`);
    process.exitCode = 2;
    return;
  }
  try {
    await run(WITHOUT_INPUT.includes(name) ? "" : await text(process.stdin), rest);
  } catch (error) {
    console.error(messageOf(error));
    process.exitCode = name === "check" ? 2 : 1;
  }
}

if (require.main === module) {
  void runCommand(process.argv.slice(2));
}
