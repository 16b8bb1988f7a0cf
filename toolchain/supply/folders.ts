import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Arch, imagesOf, type ReleaseFile, releaseFiles } from "../../components/node/releases";
import { AGENT_NETWORKS } from "./agents";
import { buildDir, buildKey } from "./build";
import { type Binaries, MIRROR_RECIPE } from "./mirror";
import { NETWORK_RECIPE } from "./networks";
import { hostArch, type ToolchainOptions } from "./options";
import { NETWORK_SOURCES, type Source, SOURCES } from "./pins";
import { CLI_SOURCES } from "./plan";
import { builtCliDir, officialCliDir, pulumiOnPath } from "./pulumi";

/** The source with this name. */
export function sourceNamed(name: string, sources: readonly Source[] = SOURCES): Source {
  const source = sources.find((candidate) => candidate.name === name);
  if (!source) {
    throw new Error(`no source "${name}"`);
  }
  return source;
}

/** Folder of a source's binaries, whether they are there or not. */
export function dirOf({ cache, project }: ToolchainOptions, name: string): string {
  return buildDir(cache, project, sourceNamed(name), hostArch());
}

/** Folders that have to be on PATH for the CLI; none when it is there. */
export async function cliDirs(options: ToolchainOptions): Promise<string[]> {
  const { cache } = options;
  const builds = CLI_SOURCES.map((name) => dirOf(options, name));
  const own = [officialCliDir(cache), builtCliDir(options.project, cache, builds)].find((dir) =>
    ["pulumi", "pulumi-language-nodejs"].every((name) => existsSync(join(dir, name))),
  );
  // The one that was made for podnet comes before one that comes and goes with the shell's PATH.
  return own !== undefined ? [own] : (await pulumiOnPath()) ? [] : [builtCliDir(options.project, cache, builds)];
}

/** Key of a mirror: equal pins and recipes give equal keys. */
export function mirrorKey(project: string, arch: Arch, releases: readonly ReleaseFile[]): string {
  const hash = createHash("sha256").update(
    JSON.stringify([releases, imagesOf("control-plane"), MIRROR_RECIPE, NETWORK_RECIPE]),
  );
  for (const source of [...SOURCES, ...AGENT_NETWORKS.flatMap((network) => NETWORK_SOURCES[network])]) {
    hash.update(buildKey(project, source, arch));
  }
  return hash.digest("hex").slice(0, 16);
}

/** Folder of all mirrors of a cache. */
export function mirrorsDir(cache: string): string {
  return join(cache, "mirror");
}

/** Folder of the mirror, whether it is there or not. */
export function mirrorDir(options: ToolchainOptions): string {
  const key = mirrorKey(options.project, hostArch(), options.releases ?? releaseFiles(hostArch()));
  return join(mirrorsDir(options.cache), key);
}

/** Path of each of a source's binaries in the folder of its build. */
export function binariesOf(source: Source, dir: string): Binaries {
  return Object.fromEntries(Object.keys(source.programs).map((name) => [name, join(dir, name)]));
}

/** SHA-256 of a mirror's files by path. */
export async function readChecksums(dir: string): Promise<Record<string, string>> {
  const text = await readFile(join(dir, "SHA256SUMS"), "utf8");
  const rows = text.split("\n").filter((line) => line !== "");
  return Object.fromEntries(rows.map((line) => [line.slice(66), line.slice(0, 64)]));
}
