import { rmSync } from "node:fs";
import { join } from "node:path";
import { clearHost } from "../../components/lab/host";
import { bridgeOf } from "../../components/lab/identity";
import { leaveHost } from "../../components/lab/raised";
import { engineOf, findEngine, startEngine, stopEngine } from "../host/engine";
import { removeCache } from "../supply/unpacked";
import { ensureToolchain } from "../supply/toolchain";
import { STACK, stackEnv } from "./env";
import type { Context } from "./prepare";
import { hasBackend, Stack } from "./stack";
import { type Deployment, labIn, onMachines } from "./state";

/** The engine that a clone's lab is in, started again where it is the clone's own: what is in it can only be removed by it. */
async function engineForDown({ identity, paths, progress }: Context): Promise<string | undefined> {
  const engine = await engineOf(identity, paths);
  return engine?.own === true && !engine.answers
    ? progress.step("starting the clone's own container engine, to clear it", 8, () => startEngine(identity, paths))
    : findEngine(identity, paths);
}

/** Destroys a clone's stack. Returns its state as that left it. */
async function destroy(context: Context, dockerHost: string | undefined): Promise<Deployment> {
  const { paths, progress, project, cache } = context;
  const { binDirs } = await ensureToolchain({ project, cache, progress });
  const stack = await Stack.find(paths, stackEnv(paths, binDirs, dockerHost));
  if (!stack) {
    return {};
  }
  const before = await stack.state();
  if ((await stack.destroy()).succeeded) {
    return {};
  }
  const state = await stack.state();
  const machines = onMachines(state);
  if (machines.length > 0) {
    throw new Error(
      `the stack could not be destroyed: ${machines.join(", ")} are still on machines that are not of a lab. Its state stays; "make down" again goes on from here`,
    );
  }
  progress.say(
    "the stack could not be destroyed in good order; its containers and networks are removed by their label",
  );
  return before;
}

/** `make down`: takes down all that `make up` made, except the caches. */
export async function down(context: Context): Promise<number> {
  const { paths, identity, progress, project, cache } = context;
  const dockerHost = await engineForDown(context);
  const state = hasBackend(paths) ? await destroy(context, dockerHost) : {};
  if (dockerHost !== undefined) {
    for (const labName of new Set([identity.name, labIn(state).network?.labName ?? identity.name])) {
      await clearHost({ labName, network: bridgeOf(labName), dockerHost }, "", (line) => progress.say(line));
    }
  }
  await progress.step("stopping the container engine", 3, () => stopEngine(identity, paths));
  leaveHost(identity.name).forEach((line) => progress.say(line));
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
