import { rmSync } from "node:fs";
import { join } from "node:path";
import { LAB_LABEL } from "../../components/lab/engine";
import { findEngine, stopEngine } from "../host/engine";
import { lines, run } from "../host/exec";
import { removeCache } from "../supply/unpacked";
import { ensureToolchain } from "../supply/toolchain";
import { STACK, stackEnv } from "./env";
import type { Context } from "./prepare";
import { hasBackend, Stack } from "./stack";

/** `make down`: takes down all that `make up` made, except the caches. */
export async function down(context: Context): Promise<number> {
  const { paths, identity, progress, project, cache } = context;
  const dockerHost = await findEngine(identity, paths);
  const problems: string[] = [];
  if (dockerHost !== undefined) {
    const env = { ...process.env, DOCKER_HOST: dockerHost };
    if (hasBackend(paths)) {
      const { binDirs } = await ensureToolchain({ project, cache, progress });
      const stack = await Stack.find(paths, stackEnv(paths, binDirs, dockerHost));
      if (stack && !(await stack.destroy()).succeeded) {
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
