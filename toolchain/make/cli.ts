import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { toItsEnd } from "../../cli/ending";
import { AGENT_NETWORKS } from "../supply/agents";
import { messageOf } from "../../components/args/validate";
import { cloneIdentity } from "../host/clone";
import { engineOf } from "../host/engine";
import { run } from "../host/exec";
import { withLock } from "../host/lock";
import { cacheDir, clonePaths } from "../host/paths";
import { Progress } from "../host/progress";
import { BENCH_NEEDS, ensurePackages } from "../host/system";
import { ensureToolchain } from "../supply/toolchain";
import { clean, down } from "./down";
import { dropForeign, envLines, stackEnv } from "./env";
import { writeKubeconfig } from "./kubeconfig";
import { type Context, prepare } from "./prepare";
import { Stack } from "./stack";
import { test } from "./run-tests";
import { up } from "./up";
import { verify } from "./verify";

/** The environment as the caller has it; what would beat the stack's own is taken out of this process's. */
const caller = { ...process.env };

async function env(context: Context): Promise<number> {
  const { paths, identity, project, cache, progress } = context;
  const { binDirs } = await ensureToolchain({ project, cache, progress });
  // An engine that does not answer is still the one that is meant: another one knows nothing of the lab.
  const variables = stackEnv(paths, binDirs, (await engineOf(identity, paths))?.host);
  try {
    const stack = await Stack.find(paths, variables);
    writeKubeconfig(paths, (await stack?.state()) ?? {});
  } catch (error) {
    rmSync(paths.kubeconfig, { force: true });
    progress.say(`there is no ${paths.kubeconfig}: ${messageOf(error)}`);
  }
  for (const line of envLines(variables, caller)) {
    console.log(line);
  }
  return 0;
}

async function bench(context: Context): Promise<number> {
  await ensurePackages(context.progress, BENCH_NEEDS);
  const { env } = await prepare(context, AGENT_NETWORKS);
  const script = join(context.project, "dist", "bench", "main.js");
  const result = await run(process.execPath, [script, ...process.argv.slice(3)], {
    env: { ...process.env, ...env },
    echo: true,
  });
  return result.code;
}

const COMMANDS: Readonly<Record<string, (context: Context) => Promise<number>>> = {
  up,
  down,
  clean,
  env,
  verify,
  bench,
  test: (context) => test(context),
  soak: (context) => test(context, "soak"),
  faults: (context) => test(context, "faults"),
};

async function main(): Promise<void> {
  const name = process.argv[2] ?? "";
  const command = COMMANDS[name];
  if (!command) {
    console.error(`usage: node dist/toolchain/make/cli.js ${Object.keys(COMMANDS).join(" | ")}`);
    process.exitCode = 2;
    return;
  }
  dropForeign();
  const quiet = name === "env" || name === "verify";
  // As `podnet check` has it: 1 says that a claim fails, which nobody found out where this ends early.
  await toItsEnd(name === "verify" ? 2 : 1, async () => {
    const project = resolve(__dirname, "..", "..", "..");
    const paths = clonePaths(project);
    const context = { project, paths, cache: cacheDir(), identity: cloneIdentity(paths), progress: new Progress() };
    return quiet
      ? command(context)
      : withLock(
          join("/tmp", `${context.identity.name}.lock`),
          (pid) => {
            throw new Error(`"make" (process ${String(pid)}) is at work in this clone; wait for it to end`);
          },
          () => command(context),
        );
  });
}

void main();
