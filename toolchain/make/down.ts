import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { labsOf } from "../../components/lab/docker";
import { clearHost, foreignLab } from "../../components/lab/host";
import { leaveHost } from "../../components/lab/raised";
import { labOf } from "../host/cloneLab";
import { engineOf, findEngine } from "../host/engine";
import { ownHost, startEngine, stopEngine } from "../host/ownEngine";
import type { ClonePaths } from "../host/paths";
import { readWritten, withoutWritten } from "../host/written";
import { refuseBusy, removeCache } from "../supply/cache";
import { ensureToolchain } from "../supply/toolchain";
import { hasBackend, type OtherStack, otherStacks } from "./backend";
import { STACK, stackEnv } from "./env";
import type { Context } from "./prepare";
import { Stack } from "./stack";
import { type Deployment, labsIn, onMachines } from "./state";

/** The engine that a clone's lab is in, started again where it is the clone's own: what is in it can only be removed by it. */
async function engineForDown({ identity, paths, progress }: Context): Promise<string | undefined> {
  const engine = await engineOf(identity, paths);
  if (engine?.own === true && !engine.answers) {
    return progress.step("starting the clone's own container engine, to clear it", 8, () =>
      startEngine(identity, paths),
    );
  }
  const found = await findEngine(identity, paths);
  const { bridge } = labOf(identity, paths);
  if (found === undefined && existsSync(`/sys/class/net/${bridge}`)) {
    throw new Error(
      `this host has the bridge ${bridge} of this clone's lab, and no container engine answers that could remove it. ` +
        `Nothing was removed. Start the engine that the lab is in, or set DOCKER_HOST to it, then "make down" again; ` +
        `if it is gone for good with all that was in it: ip link delete ${bridge}`,
    );
  }
  return found;
}

/** Environment of a clone's stack. */
async function environment(
  { paths, progress, project, cache }: Context,
  dockerHost: string | undefined,
): Promise<Record<string, string>> {
  const { binDirs } = await ensureToolchain({ project, cache, progress });
  return stackEnv(paths, binDirs, dockerHost);
}

/** Destroys a clone's stack. */
async function destroy({ progress }: Context, stack: Stack): Promise<void> {
  if ((await stack.destroy()).succeeded) {
    return;
  }
  const machines = onMachines(await stack.state());
  if (machines.length > 0) {
    throw new Error(
      `the stack could not be destroyed: ${machines.join(", ")} are still on machines that are not of a lab. Its state stays; "make down" again goes on from here`,
    );
  }
  progress.say(
    "the stack could not be destroyed in good order; its containers and networks are removed by their label",
  );
}

/**
 * Removes what an engine still has of a clone's labs, by the stack's mark on it. What another stack has under their names stays.
 * Without a state nobody knows whose that is: then it is refused, and nothing removed.
 */
async function clearLabs(
  { identity, paths, progress }: Context,
  engine: string | undefined,
  state: Deployment | undefined,
): Promise<void> {
  const { name, bridge } = labOf(identity, paths);
  const labs = labsIn(state ?? {});
  // Without an engine none has a lab of the clone's but those that the state names.
  const more = engine === undefined || labs.some(({ labName }) => labName === name);
  for (const lab of more ? labs : [...labs, { labName: name, network: bridge }]) {
    const dockerHost = lab.dockerHost ?? engine;
    const input = { ...lab, dockerHost };
    const foreign = await foreignLab(input);
    if (foreign !== undefined && state === undefined) {
      const how = dockerHost === ownHost(identity, paths) ? `export DOCKER_HOST=${dockerHost}; ` : "";
      throw new Error(
        `${foreign.lines.join("\n")}\nThis clone has no state that says whose that is, so it stays, and nothing was removed. ` +
          `If it may go: ${how}${foreign.removals.join("; ")}; then "make down" again`,
      );
    }
    foreign?.lines.forEach((line) => progress.say(`${line}, so it stays`));
    await clearHost(input, "", (line) => progress.say(line));
  }
}

/** Stacks in a message, with the number of their resources. */
function stackText(stacks: readonly OtherStack[]): string {
  return stacks
    .map(({ name, resources }) => `${name} (${String(resources)} ${resources === 1 ? "resource" : "resources"})`)
    .join(", ");
}

/** How to take down the stacks that have something, in a message. */
const DESTROY = 'pulumi destroy --stack NAME, in the environment of "make env"';

/** Takes out of the stack's config file what podnet wrote there. What somebody set there stays, and is said. */
function leaveConfig({ project, paths, progress }: Context): void {
  const name = `Pulumi.${STACK}.yaml`;
  const file = join(project, name);
  if (!existsSync(file)) {
    return;
  }
  const left = withoutWritten(readFileSync(file, "utf8"), readWritten(paths.writtenConfig).settings);
  if (left === "") {
    rmSync(file);
  } else {
    writeFileSync(file, left);
    progress.say(`${name} stays, with what was set there by hand.`);
  }
}

/** Whether a config file of the project's stacks is sealed, so that it cannot be read without the passphrase. */
function hasSealed(project: string): boolean {
  return readdirSync(project)
    .filter((name) => /^Pulumi\..+\.yaml$/.test(name))
    .some((name) => /^encryptionsalt:/m.test(readFileSync(join(project, name), "utf8")));
}

/** Removes what a clone keeps in its folder, all but this. Where it is interrupted, it can be run again. */
function removeKept({ dotPodnet, state, passphrase }: ClonePaths, but: readonly string[]): void {
  const kept = existsSync(dotPodnet) ? readdirSync(dotPodnet).map((name) => join(dotPodnet, name)) : [];
  // A state that is left without its passphrase could be neither read nor removed.
  const place = (path: string): number => (path === state ? -1 : path === passphrase ? 1 : 0);
  for (const path of kept.filter((one) => !but.includes(one)).sort((a, b) => place(a) - place(b))) {
    // A Pulumi that is just ending writes its log there.
    rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
  if (existsSync(dotPodnet) && readdirSync(dotPodnet).length === 0) {
    rmSync(dotPodnet, { recursive: true });
  }
}

/**
 * `make down`: takes down all that `make up` made, except the caches. What the clone's other stacks, labs in its engine and
 * settings of the user's need stays, and is said.
 */
export function down(context: Context): Promise<number> {
  return takeDown(context, ` The caches in ${context.cache} stay; "make clean" removes them too.`);
}

/** Takes down what {@link down} does; `caches` is what is said of the caches at its end. */
async function takeDown(context: Context, caches: string): Promise<number> {
  const { paths, identity, progress, project } = context;
  const dockerHost = await engineForDown(context);
  const env = hasBackend(paths) ? await environment(context, dockerHost) : undefined;
  const others = env === undefined ? [] : await otherStacks(paths, env);
  const stack = env && (await Stack.find(paths, env));
  const state = await stack?.state();
  if (stack !== undefined) {
    await destroy(context, stack);
  }
  await clearLabs(context, dockerHost, state);
  if (dockerHost === undefined) {
    leaveHost(labOf(identity, paths).name).forEach((line) => progress.say(line));
  }
  const engine = [paths.clone, paths.engine, paths.engineLog, paths.engineData];
  const labs = dockerHost !== undefined && existsSync(paths.engine) ? await labsOf(dockerHost) : [];
  const needed = [
    ...(others.length > 0 ? [paths.state, paths.passphrase, paths.pulumiHome, ...engine] : []),
    ...(labs.length > 0 ? engine : []),
  ];
  if (!needed.includes(paths.engine)) {
    await progress.step("stopping the container engine", 3, () => stopEngine(identity, paths));
  }
  leaveConfig(context);
  if (others.length > 0) {
    await stack?.remove();
  }
  removeKept(paths, [...needed, ...(hasSealed(project) ? [paths.passphrase] : [])]);
  if (others.length > 0) {
    const kept = existsSync(paths.engine) ? ", the passphrase and the clone's container engine" : " and the passphrase";
    progress.say(
      `The stack ${STACK} is down. Other stacks of this clone have resources: ${stackText(others)}. Their states${kept} stay. ` +
        `To take them down too: ${DESTROY}; then "make down"`,
    );
  } else if (labs.length > 0) {
    progress.say(
      `The stack ${STACK} is down. The clone's container engine stays: it has the labs ${labs.join(", ")} of stacks that are kept elsewhere.`,
    );
  } else {
    progress.say(`Everything is down.${caches}`);
  }
  return 0;
}

/** Refuses to remove what others of a clone work with: Pulumi, podnet and the caches. */
async function refuseInUse(context: Context): Promise<void> {
  const { paths, identity, cache } = context;
  refuseBusy(cache);
  const others = hasBackend(paths)
    ? await otherStacks(paths, await environment(context, (await engineOf(identity, paths))?.host))
    : [];
  if (others.length > 0) {
    throw new Error(
      `other stacks of this clone have resources: ${stackText(others)}. "make clean" would remove what they need, so nothing was ` +
        `removed. Take them down first: ${DESTROY}. "make down" takes down the stack ${STACK} alone`,
    );
  }
}

/** `make clean`: `make down`, and what was made to compile and to run. Refuses where another stack of the clone has resources. */
export async function clean(context: Context): Promise<number> {
  await refuseInUse(context);
  const code = await takeDown(context, "");
  if (code === 0) {
    // Go and npm keep their own caches; only what podnet made is podnet's to remove.
    const { mirrors, others } = await removeCache(context.cache);
    if (mirrors) {
      context.progress.say(`${join(context.cache, "mirror")} stays: nodes of another clone's lab run from it.`);
    }
    if (others.length > 0) {
      context.progress.say(`What podnet did not make stays in its caches' folder: ${others.join(", ")}.`);
    }
    for (const made of ["dist", join("packages", "pulumi-command", "dist"), "node_modules"]) {
      rmSync(join(context.project, made), { recursive: true, force: true });
    }
  }
  return code;
}
