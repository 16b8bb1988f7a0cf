import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { engineEnv } from "../../components/lab/docker";
import { must } from "../host/exec";
import { quote } from "../host/quote";
import { makeDebianRoot, SUITE } from "./debian";
import { hostArch } from "./options";

/** Key of the node image: equal files in `node-image` and equal architecture give equal keys. */
export function nodeImageKey(project: string): string {
  const folder = join(project, "toolchain", "supply", "node-image");
  const hash = createHash("sha256").update(JSON.stringify([SUITE, hostArch()]));
  for (const name of readdirSync(folder).sort()) {
    hash.update(`${name}\0`).update(readFileSync(join(folder, name)));
  }
  return hash.digest("hex").slice(0, 12);
}

/** The node image's archive in the cache, whether it is there or not. */
export function nodeArchive(project: string, cache: string): string {
  return join(cache, "node-image", `${nodeImageKey(project)}.tar`);
}

/** What the engine knows the node image by; the folder of stores that its nodes look for is part of it. */
export function nodeReference(project: string, stores: string): string {
  const hash = createHash("sha256").update(JSON.stringify([nodeImageKey(project), stores]));
  return `podnet-node:${hash.digest("hex").slice(0, 12)}`;
}

/** Makes the node image's archive of Debian packages. */
export function makeNodeArchive(project: string, cache: string): Promise<void> {
  const folder = join(project, "toolchain", "supply", "node-image");
  const packages = readFileSync(join(folder, "packages"), "utf8").trim().split("\n");
  return makeDebianRoot(packages, `${quote(join(folder, "customize"))} "$1"`, nodeArchive(project, cache));
}

/** Gives an engine the node image, whose nodes look for unpacked images in the folder `stores`. */
export async function importNodeImage(
  archive: string,
  reference: string,
  stores: string,
  dockerHost: string,
): Promise<void> {
  const env = engineEnv(dockerHost);
  const changes = ['ENTRYPOINT ["/usr/local/lib/podnet/entrypoint"]', `ENV PODNET_STORE=${JSON.stringify(stores)}`];
  const flags = changes.flatMap((change) => ["--change", change]);
  await must("docker", ["import", ...flags, archive, reference], { env });
  await must("docker", ["tag", reference, "podnet-node:latest"], { env });
}
