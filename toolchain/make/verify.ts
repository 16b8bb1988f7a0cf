import { rmSync } from "node:fs";
import { join } from "node:path";
import { faultLines, lookAtLab } from "../../components/lab/look";
import { engineOf, findEngine } from "../host/engine";
import { run } from "../host/exec";
import { ensureToolchain } from "../supply/toolchain";
import { stackEnv } from "./env";
import { writeKubeconfig } from "./kubeconfig";
import type { Context } from "./prepare";
import { Stack } from "./stack";
import { labIn, stackOutput } from "./state";

/** Most differences between what is declared and what is there that are listed. */
const MOST_LISTED = 12;

/** Runs the check on its input as an update left it, and shows its table where `echo`. Returns its exit code and the table. */
export async function runCheck(
  project: string,
  input: unknown,
  echo: boolean,
): Promise<{ readonly code: number; readonly text: string }> {
  if (typeof input !== "string") {
    throw new Error('there is no checked cluster to verify; "make up" makes one');
  }
  const podnet = join(project, "dist", "cli", "main.js");
  const { code, stderr } = await run(process.execPath, [podnet, "check", "--table"], { input, echo });
  return { code, text: stderr.trimEnd() };
}

/**
 * `make verify`: proves the network again, changing nothing. Refuses where that would prove something else than what is declared:
 * the last update failed or was cut off, the program or its config is another by now, or a part of the lab is not there.
 */
export async function verify(context: Context): Promise<number> {
  const { paths, identity, project, cache, progress } = context;
  const engine = await engineOf(identity, paths);
  if (engine?.own === true && !engine.answers) {
    throw new Error('this clone\'s own container engine does not run, and its lab with it; "make up" starts it');
  }
  const { binDirs } = await ensureToolchain({ project, cache, progress });
  const stack = await Stack.find(paths, stackEnv(paths, binDirs, await findEngine(identity, paths)));
  const state = (await stack?.state()) ?? {};
  const input = stackOutput(state, "verify");
  if (!stack || typeof input !== "string") {
    throw new Error('there is no checked cluster to verify; "make up" makes one');
  }
  writeKubeconfig(paths, state);
  const lab = labIn(state);
  const [faults, drift, last] = await Promise.all([lookAtLab(lab), stack.drift(), stack.lastUpdate()]);
  const cutOff = (state.pending_operations ?? []).length > 0;
  const problems = [...faultLines(lab, faults), ...driftLines(drift, lastText(cutOff, last))];
  if (problems.length > 0) {
    progress.say([...problems, 'Not proven. "make up" mends what is not as declared, and proves it.'].join("\n"));
    return 1;
  }
  const { code } = await runCheck(project, input, true);
  if (code === 0) {
    rmSync(paths.unproven, { force: true });
  }
  progress.say(code === 0 ? "Proven: the network is as declared." : "Not proven: see above.");
  return code;
}

/** What is known of the last update, where that did not end well. */
export function lastText(cutOff: boolean, last: { readonly result: string; readonly at: Date } | undefined): string {
  if (cutOff) {
    return "the last update was cut off, or is still at work";
  }
  return last?.result === "failed"
    ? `the last update failed, ${last.at.toISOString()}`
    : "the program or its config has changed since the last update";
}

/** What is declared and not there, with the reason; nothing where all is. */
export function driftLines(drift: readonly string[], why: string): string[] {
  if (drift.length === 0) {
    return [];
  }
  const more = drift.length - MOST_LISTED;
  return [
    `the cluster is not as declared (${why}); still to be done:`,
    ...drift.slice(0, MOST_LISTED).map((line) => `  ${line}`),
    ...(more > 0 ? [`  and ${String(more)} more`] : []),
  ];
}
