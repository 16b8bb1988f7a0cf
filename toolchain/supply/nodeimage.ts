import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { makeDebianRoot, SUITE } from "./debian";
import { hostArch } from "./toolchain";
import { must, run } from "../host/exec";
import { withLock } from "../host/lock";
import type { Progress } from "../host/progress";

/** Key of the node image: equal files in `toolchain/node-image` and equal architecture give equal keys. */
export function nodeImageKey(project: string): string {
  const folder = join(project, "toolchain", "supply", "node-image");
  const hash = createHash("sha256").update(JSON.stringify([SUITE, hostArch()]));
  for (const name of readdirSync(folder).sort()) {
    hash.update(`${name}\0`).update(readFileSync(join(folder, name)));
  }
  return hash.digest("hex").slice(0, 12);
}

/** Makes the lab's node image, or finds it in the cache, and gives it to the engine. Returns its reference. */
export async function ensureNodeImage(
  project: string,
  cache: string,
  dockerHost: string,
  progress: Progress,
): Promise<string> {
  const key = nodeImageKey(project);
  const reference = `podnet-node:${key}`;
  const env = { ...process.env, DOCKER_HOST: dockerHost };
  if ((await run("docker", ["image", "inspect", reference], { env })).code === 0) {
    return reference;
  }
  const archive = join(cache, "node-image", `${key}.tar`);
  const onWait = (pid: number): void =>
    progress.say(`another podnet (process ${String(pid)}) is making the node image`);
  await withLock(join(cache, "node-image.lock"), onWait, async () => {
    if (!existsSync(archive)) {
      await progress.step("making the lab's node image from Debian packages", 30, () => make(project, archive));
    }
  });
  await progress.step("importing the node image", 5, () =>
    must("docker", ["import", "--change", 'ENTRYPOINT ["/usr/local/lib/podnet/entrypoint"]', archive, reference], {
      env,
    }),
  );
  await must("docker", ["tag", reference, "podnet-node:latest"], { env });
  return reference;
}

function make(project: string, archive: string): Promise<void> {
  const folder = join(project, "toolchain", "supply", "node-image");
  const packages = readFileSync(join(folder, "packages"), "utf8").trim().split("\n");
  return makeDebianRoot(packages, `${join(folder, "customize")} "$1"`, archive);
}
