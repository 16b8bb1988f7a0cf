import { rmSync } from "node:fs";
import { join } from "node:path";
import { clearHost, foreignLab } from "../../components/lab/host";
import { leaveHost } from "../../components/lab/raised";
import { engineOf, findEngine, startEngine, stopEngine } from "../host/engine";
import { removeCache } from "../supply/unpacked";
import { ensureToolchain } from "../supply/toolchain";
import { STACK, stackEnv } from "./env";
import type { Context } from "./prepare";
import { hasBackend, Stack } from "./stack";
import { type Deployment, labsIn, onMachines } from "./state";

/** The engine that a clone's lab is in, started again where it is the clone's own: what is in it can only be removed by it. */
async function engineForDown({ identity, paths, progress }: Context): Promise<string | undefined> {
  const engine = await engineOf(identity, paths);
  return engine?.own === true && !engine.answers
    ? progress.step("starting the clone's own container engine, to clear it", 8, () => startEngine(identity, paths))
    : findEngine(identity, paths);
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
  { identity, progress }: Context,
  dockerHost: string,
  state: Deployment | undefined,
): Promise<void> {
  const own = { labName: identity.name, network: identity.bridge };
  const labs = labsIn(state ?? {});
  for (const lab of labs.some(({ labName }) => labName === own.labName) ? labs : [...labs, own]) {
    const input = { ...lab, dockerHost };
    const foreign = await foreignLab(input);
    if (foreign !== undefined && state === undefined) {
      throw new Error(
        `${foreign.lines.join("\n")}\nThis clone has no state that says whose that is, so it stays, and nothing was removed. ` +
          `If it may go: ${foreign.removals.join("; ")}; then "make down" again`,
      );
    }
    foreign?.lines.forEach((line) => progress.say(`${line}, so it stays`));
    await clearHost(input, "", (line) => progress.say(line));
  }
}

/** `make down`: takes down all that `make up` made, except the caches. */
export async function down(context: Context): Promise<number> {
  const { paths, identity, progress, project, cache } = context;
  const dockerHost = await engineForDown(context);
  const stack = hasBackend(paths) ? await Stack.find(paths, await environment(context, dockerHost)) : undefined;
  const state = await stack?.state();
  if (stack !== undefined) {
    await destroy(context, stack);
  }
  if (dockerHost === undefined) {
    leaveHost(identity.name).forEach((line) => progress.say(line));
  } else {
    await clearLabs(context, dockerHost, state);
  }
  await progress.step("stopping the container engine", 3, () => stopEngine(identity, paths));
  rmSync(join(project, `Pulumi.${STACK}.yaml`), { force: true });
  rmSync(paths.dotPodnet, { recursive: true, force: true });
  progress.say(`Everything is down. The caches in ${cache} stay; "make clean" removes them too.`);
  return 0;
}

/** `make clean`: `make down`, and what was made to compile and to run. */
export async function clean(context: Context): Promise<number> {
  const code = await down(context);
  if (code === 0) {
    // Go and npm keep their own caches; only what podnet made is podnet's to remove.
    if (!removeCache(context.cache)) {
      context.progress.say(`${join(context.cache, "mirror")} stays: nodes of another clone's lab run from it.`);
    }
    for (const made of ["dist", join("packages", "pulumi-command", "dist"), "node_modules"]) {
      rmSync(join(context.project, made), { recursive: true, force: true });
    }
  }
  return code;
}
