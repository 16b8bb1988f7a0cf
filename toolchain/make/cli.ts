import { join, resolve } from "node:path";
import { quote } from "../host/quote";
import { AGENT_NETWORKS } from "../supply/agents";
import { messageOf } from "../../components/args/validate";
import { labIdentity } from "../../components/lab/identity";
import { findEngine } from "../host/engine";
import { run } from "../host/exec";
import { withLock } from "../host/lock";
import { cacheDir, clonePaths } from "../host/paths";
import { Progress } from "../host/progress";
import { BENCH_NEEDS, ensurePackages } from "../host/system";
import { ensureToolchain } from "../supply/toolchain";
import { clean, down } from "./down";
import { stackEnv } from "./env";
import { type Context, prepare } from "./prepare";
import { Stack } from "./stack";
import { test } from "./run-tests";
import { up } from "./up";

async function env(context: Context): Promise<number> {
  const { paths, identity, project, cache } = context;
  const { binDirs } = await ensureToolchain({ project, cache, progress: context.progress });
  const variables = stackEnv(paths, binDirs, await findEngine(identity, paths));
  for (const [name, value] of Object.entries(variables)) {
    console.log(`export ${name}=${quote(value)}`);
  }
  return 0;
}

async function verify(context: Context): Promise<number> {
  const { paths, identity, project, cache, progress } = context;
  const { binDirs } = await ensureToolchain({ project, cache, progress });
  const stack = await Stack.find(paths, stackEnv(paths, binDirs, await findEngine(identity, paths)));
  const input = (await stack?.outputs())?.["verify"];
  if (typeof input !== "string") {
    throw new Error('there is no checked cluster to verify; "make up" makes one');
  }
  const podnet = join(project, "dist", "cli", "main.js");
  const result = await run(process.execPath, [podnet, "check", "--table"], { input, echo: true });
  return result.code;
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
  test: (context) => test(context, false),
  soak: (context) => test(context, true),
};

async function main(): Promise<void> {
  const name = process.argv[2] ?? "";
  const command = COMMANDS[name];
  if (!command) {
    console.error(`usage: node dist/toolchain/make/cli.js ${Object.keys(COMMANDS).join(" | ")}`);
    process.exitCode = 2;
    return;
  }
  const project = resolve(__dirname, "..", "..", "..");
  const paths = clonePaths(project);
  const context = { project, paths, cache: cacheDir(), identity: labIdentity(project), progress: new Progress() };
  try {
    const quiet = name === "env" || name === "verify";
    process.exitCode = quiet
      ? await command(context)
      : await withLock(
          join("/tmp", `${context.identity.name}.lock`),
          (pid) => {
            throw new Error(`"make" (process ${String(pid)}) is at work in this clone; wait for it to end`);
          },
          () => command(context),
        );
  } catch (error) {
    console.error(messageOf(error));
    process.exitCode = 1;
  }
}

void main();
