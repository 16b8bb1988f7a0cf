import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { releaseFiles, type ReleaseName } from "../../components/node/releases";
import { withLock } from "../host/lock";
import { clonePaths } from "../host/paths";
import { type Job, type JobEnd, runJobs, timeTable } from "../host/schedule";
import { reachable } from "./download";
import { cliDirs, dirOf, mirrorDir, readChecksums } from "./folders";
import { sha256File } from "./images";
import { hostArch, ToolchainError, type ToolchainOptions, urlOf } from "./options";
import { PLUGINS, PULUMI_VERSION, SOURCES } from "./pins";
import { type Found, jobName, planToolchain, PLUGIN_SOURCE, type Way } from "./plan";
import { fillHome, hasOfficial } from "./pulumi";
import { failuresOf, isOfficial, type Origin, originOf } from "./told";
import { doJob } from "./work";

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

/** A job of somebody else's, done beside those of the toolchain. It may need them, and they do not need it. */
export interface OtherJob extends Job {
  readonly work: () => Promise<void>;
  /** Whether it writes to what all clones share, so that one does it at a time. */
  readonly shared?: boolean;
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
