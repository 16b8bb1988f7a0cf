import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { LAB_LABEL } from "../../components/lab/docker";
import {
  chooseSubnet,
  HOST_ROUTES,
  labIdentity,
  type LabIdentity,
  parseHostRoutes,
} from "../../components/lab/identity";
import { AGENT_NETWORKS, type AgentNetwork } from "../../components/node/releases";
import { quote } from "../../components/node/quote";
import { messageOf } from "../../components/args/validate";
import { findEngine, openOutside, stopEngine } from "../host/engine";
import { must, run } from "../host/exec";
import { withLock } from "../host/lock";
import { cacheDir, clonePaths, type ClonePaths } from "../host/paths";
import { duration, Progress } from "../host/progress";
import { readWritten, Stack, STACK, stackEnv, stackExists } from "./stack";
import { BENCH_NEEDS, ensurePackages } from "../host/system";
import { removeCache } from "../supply/unpacked";
import { closingLine, labReport, readReport, unitReport } from "./tests";
import { ensureNetworkImages } from "../supply/networkimages";
import { ensureSetup } from "../supply/setup";
import { ensureToolchain, type Toolchain } from "../supply/toolchain";

interface Context {
  readonly project: string;
  readonly paths: ClonePaths;
  readonly cache: string;
  readonly identity: LabIdentity;
  readonly progress: Progress;
}

interface Ready {
  readonly toolchain: Toolchain;
  readonly dockerHost: string;
  readonly stack: Stack;
}

/** The network that a stack's config asks for, where that is one with images of its own. */
function chosenNetworks(stack: Stack): AgentNetwork[] {
  const chosen = stack.setting("network");
  return AGENT_NETWORKS.filter((network) => network === chosen);
}

/**
 * Everything up to the first `pulumi up`: packages, toolchain, engine, node image, stack and its config. `networks` are those
 * whose images are needed; by default the one that the stack's config asks for.
 */
async function prepare(context: Context, networks?: readonly AgentNetwork[]): Promise<Ready> {
  const { project, paths, cache, identity, progress } = context;
  mkdirSync(paths.dotPodnet, { recursive: true });
  await ensurePackages(progress);
  const { toolchain, dockerHost, nodeImage } = await ensureSetup({ project, cache, progress }, identity, paths);
  const stack = new Stack(paths, stackEnv(paths, toolchain, dockerHost));
  await stack.ensure();
  await stack.freeStaleLock();
  const wanted = networks ?? chosenNetworks(stack);
  const checksums = await ensureNetworkImages({ project, cache, progress }, toolchain, wanted);
  // A subnet that this clone's lab was given stays, whatever becomes of the host's routes.
  const recorded = readWritten(paths.writtenConfig).settings["labSubnet"];
  const labSubnet = recorded ?? chooseSubnet(identity, parseHostRoutes(await must("ip", HOST_ROUTES)));
  await stack.configure({
    labName: identity.name,
    labSubnet,
    dockerHost,
    nodeImage,
    mirror: toolchain.mirrorUrl,
    // The folder of all mirrors: nodes that have it see a new one without being made anew.
    mirrorDir: dirname(toolchain.mirrorDir),
    checksums: JSON.stringify(checksums),
  });
  await openOutside(identity, paths, labSubnet);
  return { toolchain, dockerHost, stack };
}

/** The lines of a program's output that hold something. */
function lines(output: string): string[] {
  return output.split("\n").filter((line) => line !== "");
}

/** Starts lab nodes that a restart of the machine or the engine has stopped. */
async function startNodes({ identity, progress }: Context, dockerHost: string): Promise<void> {
  const env = { ...process.env, DOCKER_HOST: dockerHost };
  const list = ["ps", "-aq", "--filter", `label=${LAB_LABEL}=${identity.name}`, "--filter", "status=exited"];
  const stopped = lines(await must("docker", list, { env }));
  if (stopped.length > 0) {
    await progress.step(`starting ${String(stopped.length)} stopped nodes`, 5, () =>
      must("docker", ["start", ...stopped], { env }),
    );
  }
}

async function up(context: Context): Promise<number> {
  const started = Date.now();
  const { paths, progress } = context;
  const { stack, dockerHost } = await prepare(context);
  await startNodes(context, dockerHost);
  const result = await stack.pulumi(["up", "--yes", "--skip-preview", "--stack", STACK], true);
  if (result.code !== 0) {
    progress.say(`\n"make up" again goes on from here; "make down" takes everything down.`);
    return result.code;
  }
  const changes = stack.lastChanges();
  const changed = Object.entries(changes).filter(([kind, count]) => kind !== "same" && count > 0);
  if (changed.length > 0 || !existsSync(paths.kubeconfig)) {
    const outputs = await stack.outputs();
    writeFileSync(paths.kubeconfig, String(outputs["kubeconfig"]), { mode: 0o600 });
  }
  progress.say(summary(paths, changed.length > 0, (Date.now() - started) / 1000));
  return 0;
}

/** What `make up` says at its end. */
export function summary(paths: ClonePaths, changed: boolean, seconds: number): string {
  return [
    "",
    changed
      ? `The cluster is up and its network is proven (${duration(seconds)}).`
      : `Nothing to do: the cluster is up as declared (${duration(seconds)}).`,
    `  kubeconfig   ${paths.kubeconfig}`,
    `  look around  eval "$(make -s env)"; kubectl get nodes,pods -A -o wide`,
    `  prove again  make verify`,
    `  take down    make down`,
  ].join("\n");
}

async function down(context: Context): Promise<number> {
  const { paths, identity, progress, project, cache } = context;
  const dockerHost = await findEngine(identity, paths);
  const problems: string[] = [];
  if (dockerHost !== undefined) {
    const env = { ...process.env, DOCKER_HOST: dockerHost };
    if (stackExists(paths)) {
      const toolchain = await ensureToolchain({ project, cache, progress });
      const stack = new Stack(paths, stackEnv(paths, toolchain, dockerHost));
      await stack.freeStaleLock();
      const result = await stack.pulumi(["destroy", "--yes", "--skip-preview", "--stack", STACK], true);
      if (result.code !== 0) {
        progress.say(
          "the stack could not be destroyed in good order; its containers and networks are removed by their label",
        );
      }
    }
    const label = `label=${LAB_LABEL}=${identity.name}`;
    for (const { list, remove } of [
      { list: ["ps", "-aq"], remove: ["rm", "-f", "-v"] },
      { list: ["network", "ls", "-q"], remove: ["network", "rm"] },
    ]) {
      const ids = lines((await run("docker", [...list, "--filter", label], { env })).stdout);
      if (ids.length > 0) {
        const removed = await run("docker", [...remove, ...ids], { env });
        problems.push(...(removed.code === 0 ? [] : [removed.stderr.trim()]));
      }
    }
  }
  await progress.step("stopping the container engine", 3, () => stopEngine(identity, paths));
  rmSync(join(project, `Pulumi.${STACK}.yaml`), { force: true });
  if (problems.length > 0) {
    progress.say(problems.join("\n"));
    return 1;
  }
  rmSync(paths.dotPodnet, { recursive: true, force: true });
  progress.say(`Everything is down. The caches in ${cache} stay; "make clean" removes them too.`);
  return 0;
}

async function clean(context: Context): Promise<number> {
  const code = await down(context);
  if (code === 0) {
    // Go and npm keep their own caches; only what podnet made is podnet's to remove.
    if (!removeCache(context.cache)) {
      context.progress.say(`${join(context.cache, "mirror")} stays: nodes of another clone's lab run from it.`);
    }
    rmSync(join(context.project, "dist"), { recursive: true, force: true });
    rmSync(join(context.project, "node_modules"), { recursive: true, force: true });
  }
  return code;
}

async function env(context: Context): Promise<number> {
  const { paths, identity, project, cache } = context;
  const toolchain = await ensureToolchain({ project, cache, progress: context.progress });
  const variables = stackEnv(paths, toolchain, await findEngine(identity, paths));
  for (const [name, value] of Object.entries(variables)) {
    console.log(`export ${name}=${quote(value)}`);
  }
  return 0;
}

async function verify(context: Context): Promise<number> {
  const { paths, identity, project, cache, progress } = context;
  const toolchain = await ensureToolchain({ project, cache, progress });
  const stack = new Stack(paths, stackEnv(paths, toolchain, await findEngine(identity, paths)));
  const input = stack.exists() ? (await stack.outputs())["verify"] : undefined;
  if (typeof input !== "string") {
    throw new Error('there is no checked cluster to verify; "make up" makes one');
  }
  const runner = join(project, "dist", "components", "connectivity", "run.js");
  const result = await run(process.execPath, [runner, "--table"], { input, echo: true });
  return result.code;
}

async function test(context: Context, soak: boolean): Promise<number> {
  const { paths, project, progress } = context;
  // A lab that somebody uses stays; what the tests alone needed goes when they are done.
  const fresh = !stackExists(paths);
  mkdirSync(paths.testResults, { recursive: true });
  const files = [unitReport(paths), labReport(paths)];
  files.forEach((file) => rmSync(file, { force: true }));
  const vitest = join(project, "node_modules", "vitest", "vitest.mjs");
  const runTests = async (config: string, report: string, extra: Record<string, string>): Promise<void> => {
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const args = [vitest, "run", "--config", config, ...reporters];
    await run(process.execPath, args, { cwd: project, env: { ...process.env, ...extra }, echo: true });
  };
  let setUp: string | undefined;
  let extra: Record<string, string> = {};
  try {
    const { toolchain, dockerHost } = await prepare(context, AGENT_NETWORKS);
    extra = { ...stackEnv(paths, toolchain, dockerHost), PODNET_MIRROR: toolchain.mirrorDir };
  } catch (error) {
    setUp = messageOf(error);
    progress.say(`set-up failed: ${setUp}`);
  }
  if (!soak) {
    await runTests("vitest.config.mts", unitReport(paths), extra);
  }
  if (setUp === undefined) {
    await runTests("vitest.lab.config.mts", labReport(paths), {
      ...extra,
      ...(soak && { PODNET_SOAK: "1" }),
    });
  }
  const reports = (soak ? files.slice(1) : files).map((file) => readReport(file));
  const total = closingLine(reports, setUp !== undefined);
  if (fresh) {
    await down(context);
  }
  console.log(total.line);
  return total.failed === 0 ? 0 : 1;
}

async function bench(context: Context): Promise<number> {
  await ensurePackages(context.progress, BENCH_NEEDS);
  const { toolchain, dockerHost } = await prepare(context, AGENT_NETWORKS);
  const env = { ...process.env, ...stackEnv(context.paths, toolchain, dockerHost) };
  const script = join(context.project, "dist", "bench", "main.js");
  const result = await run(process.execPath, [script, ...process.argv.slice(3)], { env, echo: true });
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
