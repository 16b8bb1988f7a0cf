import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Arch,
  archiveOf,
  imagesOf,
  type ReleaseFile,
  releaseFiles,
  type ReleaseName,
} from "../../components/node/releases";
import { withLock } from "../host/lock";
import { AGENT_NETWORKS } from "./agents";
import { clonePaths } from "../host/paths";
import { type Job, type JobEnd, runJobs, timeTable } from "../host/schedule";
import { build, buildDir, buildKey, buildPause, fetchSource } from "./build";
import { download, reachable } from "./download";
import { sha256File } from "./images";
import { type Binaries, makeImages, makeRelease, MIRROR_RECIPE, writeChecksums } from "./mirror";
import { NETWORK_RECIPE } from "./networks";
import { hostArch, ToolchainError, type ToolchainOptions, urlOf } from "./options";
import { NETWORK_SOURCES, PLUGINS, PULUMI_VERSION, type Source, SOURCES } from "./pins";
import { CLI_SOURCES, type Found, jobName, parseJob, planToolchain, PLUGIN_SOURCE, type Way } from "./plan";
import {
  builtCliDir,
  fillHome,
  hasOfficial,
  installOfficial,
  joinCli,
  officialCliDir,
  officialPulumi,
  pulumiOnPath,
} from "./pulumi";

export { hostArch };

/** The toolchain, ready for use. */
export interface Toolchain {
  /** Folders for the front of PATH. */
  readonly binDirs: readonly string[];
  /** Folder of the mirror, and the same as a URL. */
  readonly mirrorDir: string;
  readonly mirrorUrl: string;
  /** SHA-256 of the mirror's files by path. */
  readonly checksums: Readonly<Record<string, string>>;
}

/** How a tool was had, and why the ways before it failed. */
export interface Origin {
  readonly tool: string;
  readonly way: "official release" | "built from source";
  readonly seconds: number;
}

/** A job of somebody else's, done beside those of the toolchain. It may need them, and they do not need it. */
export interface OtherJob extends Job {
  readonly work: () => Promise<void>;
  /** Whether it writes to what all clones share, so that one does it at a time. */
  readonly shared?: boolean;
}

/** The source with this name. */
export function sourceNamed(name: string, sources: readonly Source[] = SOURCES): Source {
  const source = sources.find((candidate) => candidate.name === name);
  if (!source) {
    throw new Error(`no source "${name}"`);
  }
  return source;
}

/**
 * Makes the toolchain complete: each tool from PATH or the cache, else the official release, else built from source. Slow
 * work is shown by `progress`, done once for all clones of a user, and goes on where an interrupted run stopped; `others` are
 * done beside it. Throws a ToolchainError with all that failed.
 */
export async function ensureToolchain(options: ToolchainOptions, others: readonly OtherJob[] = []): Promise<Toolchain> {
  await mkdir(options.cache, { recursive: true });
  const lock = join(options.cache, "toolchain.lock");
  const onWait = (pid: number): void => {
    options.progress.say(`another podnet (process ${String(pid)}) is making the toolchain; waiting for it`);
  };
  const make = async (): Promise<Toolchain> => {
    const { failures, ends } = await supply(options, true, others);
    if (failures.length > 0) {
      throw new ToolchainError(failures);
    }
    const table = timeTable(ends, 5);
    if (table.length > 0) {
      options.progress.say(["where the time went, much of it at the same time:", ...table].join("\n"));
    }
    await fillHome(clonePaths(options.project).pulumiHome, options.cache, PLUGINS, {
      kubernetes: join(dirOf(options, PLUGIN_SOURCE), "pulumi-resource-kubernetes"),
      guard: join(options.project, "toolchain", "supply", "plugin-guard"),
      command: join(options.project, "packages", "pulumi-command", "bin", "pulumi-resource-command"),
    });
    return { binDirs: await cliDirs(options), ...(await readMirror(mirrorDir(options))) };
  };
  // Whoever has everything does not wait for one that makes something.
  const whole = planToolchain(await look(options, true, new Set()), SOURCES).length === 0;
  return whole && others.every(({ shared }) => shared !== true) ? make() : withLock(lock, onWait, make);
}

/** Folder of a source's binaries, whether they are there or not. */
function dirOf({ cache, project }: ToolchainOptions, name: string): string {
  return buildDir(cache, project, sourceNamed(name), hostArch());
}

/** Folders that have to be on PATH for the CLI; none when it is there. */
async function cliDirs(options: ToolchainOptions): Promise<string[]> {
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

type Mirror = Pick<Toolchain, "mirrorDir" | "mirrorUrl" | "checksums">;

async function readMirror(dir: string): Promise<Mirror> {
  return { mirrorDir: dir, mirrorUrl: `file://${dir}`, checksums: await readChecksums(dir) };
}

/** Makes the mirror that nodes read, or finds it in the cache. Undefined when something failed. */
export async function ensureMirror(
  options: ToolchainOptions,
  origins: Origin[],
  failures: string[],
): Promise<Mirror | undefined> {
  const done = await supply(options, false);
  origins.push(...done.origins);
  failures.push(...done.failures);
  return failures.length > 0 ? undefined : readMirror(mirrorDir(options));
}

/** Looks what there is and what can be reached. `refused` are the jobs whose official download failed. */
async function look(options: ToolchainOptions, pulumi: boolean, refused: ReadonlySet<string>): Promise<Found> {
  const arch = hostArch();
  const { cache } = options;
  const way = (job: string, have: boolean, online: boolean): Way =>
    have ? "have" : online && !refused.has(job) ? "official" : "own";
  const built = new Set(SOURCES.map(({ name }) => name).filter((name) => existsSync(dirOf(options, name))));
  const [haveCli, haveMirror] = [
    !pulumi || (await cliDirs(options)).every((dir) => existsSync(join(dir, "pulumi"))),
    existsSync(join(mirrorDir(options), "SHA256SUMS")),
  ];
  const missing = pulumi ? PLUGINS.filter((plugin) => !hasOfficial(cache, plugin)) : [];
  const ask = async (needed: boolean, path: string): Promise<boolean> => needed && reachable(urlOf(options, path));
  const [cli, plugins, releases, registry] = await Promise.all([
    ask(!haveCli, `get.pulumi.com/releases/sdk/pulumi-v${PULUMI_VERSION}-linux-${process.arch}.tar.gz`),
    ask(missing.length > 0, "get.pulumi.com/releases/plugins/"),
    ask(!haveMirror, "dl.k8s.io/"),
    ask(!haveMirror, "registry.k8s.io/v2/"),
  ]);
  const files = haveMirror ? [] : (options.releases ?? releaseFiles(arch));
  const ways = await Promise.all(
    files.map(async ({ name, path, sha256 }): Promise<[ReleaseName, Way]> => {
      const target = join(`${mirrorDir(options)}.new`, path);
      const have = existsSync(target) && (await sha256File(target)) === sha256;
      return [name, way(jobName("release", name), have, releases)];
    }),
  );
  return {
    cli: way("cli", haveCli, cli),
    plugins: Object.fromEntries(
      PLUGINS.map((plugin) => [plugin.name, way(jobName("plugin", plugin.name), !missing.includes(plugin), plugins)]),
    ),
    releases: haveMirror ? undefined : (Object.fromEntries(ways) as Record<ReleaseName, Way>),
    images: !haveMirror && !registry,
    built,
  };
}

interface Supplied {
  readonly ends: readonly JobEnd[];
  readonly origins: Origin[];
  readonly failures: string[];
}

/** Gets everything that is missing. What cannot be downloaded after all is made here, in a second round. */
async function supply(options: ToolchainOptions, pulumi: boolean, others: readonly OtherJob[] = []): Promise<Supplied> {
  const refusals = new Map<string, string>();
  const origins: Origin[] = [];
  const done: JobEnd[] = [];
  let waiting = others;
  for (;;) {
    const found = await look(options, pulumi, new Set(refusals.keys()));
    const jobs = [...planToolchain(found, SOURCES), ...waiting];
    const work = (job: Job): Promise<void> => {
      const other = waiting.find(({ name }) => name === job.name);
      return other ? other.work() : doJob(options, found, job.name);
    };
    const ends = await runJobs(jobs, work, options.progress);
    origins.push(...ends.flatMap((end) => originOf(end, found)));
    done.push(...ends.filter(({ error }) => error === undefined));
    const lost = ends.filter(({ job, error }) => error !== undefined && isOfficial(found, job.name));
    if (lost.length === 0) {
      return { ends: done, origins, failures: failuresOf(ends, refusals) };
    }
    for (const { job, error } of lost) {
      refusals.set(job.name, error ?? "");
      options.progress.say(`${job.text} failed: ${error ?? ""}; building it from source instead`);
    }
    const finished = new Set(done.map(({ job }) => job.name));
    waiting = waiting.filter(({ name }) => !finished.has(name));
  }
}

/** Whether this job is the download of something official. */
function isOfficial(found: Found, name: string): boolean {
  const { kind, of } = parseJob(name);
  return (
    (kind === "cli" && found.cli === "official") ||
    (kind === "plugin" && found.plugins[of] === "official") ||
    (kind === "release" && found.releases?.[of as ReleaseName] === "official")
  );
}

function originOf({ job, seconds, error }: JobEnd, found: Found): Origin[] {
  const { kind, of } = parseJob(job.name);
  if (error !== undefined || (kind !== "build" && !isOfficial(found, job.name))) {
    return [];
  }
  return [{ tool: of || "pulumi", way: kind === "build" ? "built from source" : "official release", seconds }];
}

/** What could not be had, and what was tried. A job that failed because of another is told where that matters to the reader. */
function failuresOf(ends: readonly JobEnd[], refusals: ReadonlyMap<string, string>): string[] {
  return ends.flatMap(({ job, error }) => {
    if (error === undefined) {
      return [];
    }
    const { kind, of } = parseJob(job.name);
    const tried = refusals.get(job.name) ?? "the official release is out of reach";
    switch (kind) {
      case "cli":
        return [`pulumi: not on PATH; ${tried}; building it failed: ${error}`];
      case "release":
        return [`${of}: not in the cache; ${tried}; building it failed: ${error}`];
      case "images":
        return [`images: the image registry is out of reach; making them failed: ${error}`];
      case "build": {
        const plugin = of === PLUGIN_SOURCE;
        return plugin ? [`${of}: the official plugin is out of reach; building it failed: ${error}`] : [];
      }
      case "fetch":
      case "pause":
      case "plugin":
        return [];
      default: {
        const needs = new Set(job.needs);
        const because = ends.some((end) => needs.has(end.job.name) && end.error !== undefined);
        return because ? [] : [`${job.text}: ${error}`];
      }
    }
  });
}

/** Does one of the toolchain's jobs. */
async function doJob(options: ToolchainOptions, found: Found, name: string): Promise<void> {
  const { cache, project } = options;
  const arch = hostArch();
  const { kind, of } = parseJob(name);
  const work = `${mirrorDir(options)}.new`;
  switch (kind) {
    case "fetch":
      return fetchSource(cache, project, sourceNamed(of), arch);
    case "build":
      await build(cache, project, sourceNamed(of), arch);
      return;
    case "cli": {
      if (found.cli === "official") {
        return officialPulumi((path) => urlOf(options, path), cache);
      }
      await joinCli(
        options.project,
        cache,
        CLI_SOURCES.map((source) => dirOf(options, source)),
      );
      return;
    }
    case "plugin": {
      const [dir] = await cliDirs(options);
      const plugin = PLUGINS.find((candidate) => candidate.name === of);
      return plugin && installOfficial(dir === undefined ? "pulumi" : join(dir, "pulumi"), cache, plugin);
    }
    case "release": {
      const release = (options.releases ?? releaseFiles(arch)).find((file) => file.name === of);
      if (release && found.releases?.[release.name] === "official") {
        return download(urlOf(options, release.path), release.sha256, join(work, release.path));
      }
      await makeRelease(of as ReleaseName, allBinaries(options), work, arch);
      return;
    }
    case "pause":
      await buildPause(cache, project, sourceNamed("kubernetes"), arch);
      return;
    case "images": {
      const pause = await buildPause(cache, project, sourceNamed("kubernetes"), arch);
      await makeImages({ ...allBinaries(options), pause: join(pause, "pause") }, work, arch);
      return;
    }
    case "mirror":
      return finishMirror(options, found.images);
  }
}

/** Sums the mirror's files and gives its folder its name, by which it counts as whole. */
async function finishMirror(options: ToolchainOptions, images: boolean): Promise<void> {
  const dir = mirrorDir(options);
  const releases = (options.releases ?? releaseFiles(hostArch())).map(({ path }) => path);
  await writeChecksums(`${dir}.new`, [...releases, ...(images ? imagesOf("control-plane").map(archiveOf) : [])]);
  await rm(dir, { recursive: true, force: true });
  await rename(`${dir}.new`, dir);
  await writeFile(join(dir, "README"), "Made by podnet. Safe to delete: it is made again when it is needed.\n");
}

/** Path of every binary that the sources give. */
function allBinaries(options: ToolchainOptions): Binaries {
  return Object.assign({}, ...SOURCES.map((source) => binariesOf(source, dirOf(options, source.name)))) as Binaries;
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
