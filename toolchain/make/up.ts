import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { waitFor } from "../../components/args/wait";
import type { ClonePaths } from "../host/paths";
import { duration, type Progress } from "../host/progress";
import { writeKubeconfig } from "./kubeconfig";
import { mend, settle } from "./mend";
import { type Context, prepare } from "./prepare";
import type { Ended, Stack } from "./stack";
import { labIn, stackOutput } from "./state";
import { runCheck } from "./verify";

/** What `make up` did, which decides what it may say. */
export type Done = "updated" | "mended" | "proven" | "nothing";

/** What is noted of an update that failed, until the network is proven; of a lab that was mended, nothing more is noted. */
const FAILED = "failed";

/** What is noted of a stack that is not proven; undefined for one that is. */
function noteOf(paths: ClonePaths): string | undefined {
  return existsSync(paths.unproven) ? readFileSync(paths.unproven, "utf8") : undefined;
}

/** Seconds that a cluster gets to come to itself after its nodes were started again. */
const SETTLE_SECONDS = 120;

/** Proves a lab's network after it was mended. What is not so in the first minutes after a reboot is asked again. */
async function prove(project: string, input: unknown, progress: Progress): Promise<boolean> {
  let shown = "";
  const passed = await waitFor(async () => {
    const { code, text } = await runCheck(project, input, false);
    shown = text;
    if (code !== 0) {
      progress.say("the network is not proven yet; its nodes have only just started");
    }
    return code === 0;
  }, SETTLE_SECONDS);
  progress.say(shown);
  return passed;
}

/**
 * Goes on after an update that failed or was killed: reads the cluster's objects anew, since Pulumi's state does not say what that update
 * changed last, and brings them to what is declared. `first` is how the update before it ended.
 */
async function reread(stack: Stack, first: Ended): Promise<Ended> {
  const ended = await stack.up(true);
  return ended.changed ? ended : { ...ended, changed: first.changed, proven: first.proven };
}

/** `make up`: sets everything up and brings the stack to what it declares. */
export async function up(context: Context): Promise<number> {
  const started = Date.now();
  const { paths, progress } = context;
  const { stack } = await prepare(context);
  const before = await stack.state();
  const cutShort = noteOf(paths) === FAILED || (before.pending_operations ?? []).length > 0;
  const mended = await mend(stack, before, progress, () => writeFileSync(paths.unproven, ""));
  let ended = await stack.up();
  if (ended.succeeded && cutShort) {
    await settle(stack, progress);
    ended = await reread(stack, ended);
  }
  const { succeeded, changed, proven } = ended;
  const state = changed || mended || !succeeded ? await stack.state() : before;
  writeKubeconfig(paths, state);
  if (!succeeded) {
    // Whatever it changed before it failed is not proven, also where the next update has nothing to do.
    writeFileSync(paths.unproven, FAILED);
    progress.say(`\n"make up" again goes on from here; "make down" takes everything down.`);
    return 1;
  }
  // An update that changed a node, the network or a service has run the check. What else is new has not been proven yet.
  const noted = noteOf(paths);
  const owed = changed || cutShort || noted !== undefined;
  if (owed && !proven && !(await prove(context.project, stackOutput(state, "verify"), progress))) {
    progress.say(`\nThe network is not proven: see above. "make up" again goes on from here.`);
    return 1;
  }
  rmSync(paths.unproven, { force: true });
  const done = changed ? "updated" : noted === "" ? "mended" : owed ? "proven" : "nothing";
  progress.say(summary(paths, done, labIn(state).nodes.length, (Date.now() - started) / 1000));
  return 0;
}

/** What `make up` says at its end: no more than was seen. */
export function summary(paths: ClonePaths, done: Done, labNodes: number, seconds: number): string {
  const nodes = labNodes > 0 ? `, and the lab's ${String(labNodes)} nodes run` : "";
  const said = {
    updated: `The cluster is up and its network is proven`,
    mended: `The lab is mended and its network is proven`,
    proven: `Nothing to do: the cluster was made as declared and its network is proven${nodes}`,
    nothing: `Nothing to do: the cluster was made as declared${nodes}`,
  };
  return [
    "",
    `${said[done]} (${duration(seconds)}).`,
    `  kubeconfig   ${paths.kubeconfig}`,
    `  look around  eval "$(make -s env)"; kubectl get nodes,pods -A -o wide`,
    `  prove again  make verify`,
    `  take down    make down`,
  ].join("\n");
}
