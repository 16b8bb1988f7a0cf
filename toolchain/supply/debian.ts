import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { must } from "../host/exec";

/** Debian release of the lab's nodes and of the images that are more than a binary. */
export const SUITE = "bookworm";

/**
 * Makes a minimal Debian root with these packages as a tar archive, by mmdebstrap; `hook` is a shell command that changes it
 * (its path is `$1`). The archive appears complete or not at all. What killed runs left of it goes: the caller holds a lock.
 */
export async function makeDebianRoot(packages: readonly string[], hook: string, archive: string): Promise<void> {
  // On a Debian of the same release its own sources are used: they are the ones that can be reached.
  const release = readFileSync("/etc/os-release", "utf8");
  const same = release.includes(`VERSION_CODENAME=${SUITE}`);
  const sources = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"].filter(existsSync).slice(0, 1);
  await mkdir(dirname(archive), { recursive: true });
  const partial = `${archive}.new-${randomBytes(6).toString("hex")}.tar`;
  await removePartials(archive);
  try {
    await must("mmdebstrap", [
      ...["--variant=minbase", `--include=${packages.join(",")}`, `--customize-hook=${hook}`],
      ...[SUITE, partial, ...(same ? sources : [])],
    ]);
    await rename(partial, archive);
  } finally {
    await rm(partial, { force: true });
  }
}

/**
 * Removes what killed runs left of an archive. The program of one may still be at work: it writes to a file of its own, which has
 * no name any more.
 */
async function removePartials(archive: string): Promise<void> {
  const folder = dirname(archive);
  const left = (await readdir(folder)).filter((name) => name.startsWith(`${basename(archive)}.new`));
  await Promise.all(left.map((name) => rm(join(folder, name), { force: true })));
}
