#!/usr/bin/env node
import { text } from "node:stream/consumers";
import { checkCommand } from "../components/connectivity/run";
import { labCommand } from "../components/lab/command";
import type { HereCommand } from "../components/machine/here";
import { holdCommand, releaseCommand } from "../components/network/hold";
import { imagesCommand } from "../components/network/images";
import { preflightCommand } from "../components/network/preflight";
import { endpointsCommand } from "../components/service/endpoints";
import { toItsEnd } from "./ending";
import { endWithUpdate } from "./orphan";
import { verifyCommand } from "./verify";

/** What each command does with its input and the words behind its name; a number that it returns is its exit code. */
const COMMANDS: Readonly<
  Record<HereCommand | "verify", (input: string, words: readonly string[]) => Promise<unknown>>
> = {
  check: checkCommand,
  verify: (_, words) => verifyCommand(words),
  endpoints: endpointsCommand,
  preflight: (input) => preflightCommand(input, process.env["PULUMI_COMMAND_STDOUT"]),
  hold: (input, [word]) =>
    (word === "release" ? releaseCommand : holdCommand)(input, process.env["PULUMI_COMMAND_STDOUT"]),
  images: imagesCommand,
  "lab-keys": (input, words) => labCommand("keys", input, words),
  "lab-host": (input, words) => labCommand("host", input, words),
  "lab-network": (input, words) => labCommand("network", input, words),
  "lab-node": (input, words) => labCommand("node", input, words),
};

/** The commands that read nothing. */
const WITHOUT_INPUT: readonly string[] = ["lab-keys", "verify"];

/** The commands that prove: 1 says that the network is broken, and 2 that nothing was proven. */
const PROVING: readonly string[] = ["check", "verify"];

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
  const run = Object.hasOwn(COMMANDS, name) ? COMMANDS[name as keyof typeof COMMANDS] : undefined;
  if (run === undefined) {
    console.error(`usage: podnet ${Object.keys(COMMANDS).join(" | ")}`);
    process.exitCode = 2;
    return;
  }
  await toItsEnd(PROVING.includes(name) ? 2 : 1, async () => {
    const code = await run(WITHOUT_INPUT.includes(name) ? "" : await text(process.stdin), rest);
    return typeof code === "number" ? code : 0;
  });
}

if (require.main === module) {
  void runCommand(process.argv.slice(2));
}
