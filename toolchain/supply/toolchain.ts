import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { extname, join } from "node:path";
import { type Arch, archiveOf, imagesOf, type ReleaseFile, releaseFiles } from "../../components/node/releases";
import { AGENT_NETWORKS, type AgentNetwork, networkImages } from "./agents";
import { messageOf } from "../../components/args/validate";
import { build, buildDir, buildKey, buildPause } from "./build";
import { download, reachable } from "./download";
import { must, run } from "../host/exec";
import { sha256File } from "./images";
import { withLock } from "../host/lock";
import { type Binaries, makeImages, makeRelease, writeChecksums } from "./mirror";
import { makeNetworkImages } from "./networks";
import { IMAGE_SOURCES, NETWORK_SOURCES, PLUGINS, PULUMI_VERSION, type Source, SOURCE_OF, SOURCES } from "./pins";
import type { Progress } from "../host/progress";

/** Where things are and come from. */
export interface ToolchainOptions {
  /** Folder of the clone, with the pinned sources in it. */
  readonly project: string;
  readonly cache: string;
  readonly progress: Progress;
  /** The files that nodes install; those of the pinned versions by default. */
  readonly releases?: readonly ReleaseFile[];
  /** Turns a path such as `dl.k8s.io/release/…` into a URL; `https://` and the path by default. */
  readonly upstream?: (path: string) => string;
}

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
  readonly way: "PATH" | "cache" | "official release" | "built from source";
  readonly seconds: number;
  readonly notes: readonly string[];
}

/** Thrown with every tool that could not be had, and for each what was tried. */
export class ToolchainError extends Error {
  override readonly name = "ToolchainError";
  constructor(readonly failures: readonly string[]) {
    super(`the toolchain is not complete:\n  ${failures.join("\n  ")}`);
  }
}

/** The architecture of this machine by Go's names. */
export function hostArch(): Arch {
  if (process.arch !== "x64" && process.arch !== "arm64") {
    throw new Error(`${process.arch} machines are not supported; use x86_64 or arm64`);
  }
  return process.arch === "x64" ? "amd64" : "arm64";
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
 * work is shown by `progress`, done once for all clones of a user, and goes on where an interrupted run stopped. Throws a
 * ToolchainError with all tools that failed.
 */
export async function ensureToolchain(options: ToolchainOptions): Promise<Toolchain> {
  await mkdir(options.cache, { recursive: true });
  const lock = join(options.cache, "toolchain.lock");
  const onWait = (pid: number): void => {
    options.progress.say(`another podnet (process ${String(pid)}) is making the toolchain; waiting for it`);
  };
  return withLock(lock, onWait, async () => {
    const origins: Origin[] = [];
    const failures: string[] = [];
    const pulumi = await pulumiTools(options, origins, failures);
    const mirror = await ensureMirror(options, origins, failures);
    if (failures.length > 0 || !mirror) {
      throw new ToolchainError(failures);
    }
    const slow = origins.filter(({ way }) => way !== "cache" && way !== "PATH");
    if (slow.length > 0) {
      const width = Math.max(...slow.map(({ tool }) => tool.length));
      for (const { tool, way, seconds, notes } of slow) {
        const why = notes.length > 0 ? ` (${notes.join("; ")})` : "";
        options.progress.say(`  ${tool.padEnd(width)}  ${way}, ${seconds.toFixed(1)} s${why}`);
      }
    }
    return { binDirs: pulumi, ...mirror };
  });
}

async function built(
  options: ToolchainOptions,
  name: string,
  sources: readonly Source[] = SOURCES,
): Promise<{ dir: string; seconds: number }> {
  const source = sourceNamed(name, sources);
  const started = Date.now();
  const index = sources.indexOf(source) + 1;
  const work = (): Promise<string> => build(options.cache, options.project, source, hostArch());
  const known = buildDir(options.cache, options.project, source, hostArch());
  const text = `[${String(index)}/${String(sources.length)}] building ${name} from source`;
  const dir = existsSync(known) ? known : await options.progress.step(text, source.seconds, work);
  return { dir, seconds: (Date.now() - started) / 1000 };
}

/** Folders with the Pulumi CLI, its language host and the plugins. */
async function pulumiTools(options: ToolchainOptions, origins: Origin[], failures: string[]): Promise<string[]> {
  const dirs: string[] = [];
  const notes: string[] = [];
  const own = join(options.cache, "pulumi", PULUMI_VERSION);
  const onPath = await run("pulumi", ["version"]);
  const language = onPath.code === 0 ? await run("pulumi-language-nodejs", ["--help"]) : undefined;
  if (onPath.code === 0 && language?.code !== 127 && /^v?3\.(2[4-9]\d|[3-9]\d\d)\./.test(onPath.stdout.trim())) {
    origins.push({ tool: "pulumi", way: "PATH", seconds: 0, notes });
  } else if (existsSync(own)) {
    dirs.push(own);
  } else {
    const release = `get.pulumi.com/releases/sdk/pulumi-v${PULUMI_VERSION}-linux-${process.arch}.tar.gz`;
    const url = urlOf(options, release);
    if (await reachable(url)) {
      try {
        const started = Date.now();
        await options.progress.step(`downloading Pulumi ${PULUMI_VERSION}`, 20, () =>
          officialPulumi(options, url, own),
        );
        dirs.push(own);
        origins.push({ tool: "pulumi", way: "official release", seconds: (Date.now() - started) / 1000, notes });
      } catch (error) {
        notes.push(messageOf(error));
      }
    } else {
      notes.push("the official release is out of reach");
    }
    if (dirs.length === 0) {
      for (const name of ["pulumi", "pulumi-language-nodejs"]) {
        try {
          const { dir, seconds } = await built(options, name);
          dirs.push(dir);
          origins.push({ tool: name, way: seconds < 1 ? "cache" : "built from source", seconds, notes });
        } catch (error) {
          failures.push(`${name}: not on PATH; ${notes.join("; ")}; building it failed: ${messageOf(error)}`);
        }
      }
    }
  }
  const pulumi = dirs.map((dir) => join(dir, "pulumi")).find(existsSync) ?? "pulumi";
  const home = process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
  const missing = PLUGINS.filter(
    ({ name, version }) => !existsSync(join(home, "plugins", `resource-${name}-v${version}`)),
  );
  const online = missing.length > 0 && (await reachable(urlOf(options, "get.pulumi.com/releases/plugins/")));
  for (const { name, version } of missing) {
    if (online) {
      const installed = await options.progress.step(`installing the official ${name} plugin`, 10, () =>
        run("timeout", ["120", pulumi, "plugin", "install", "resource", name, `v${version}`]),
      );
      if (installed.code === 0) {
        continue;
      }
      options.progress.say(
        `the official ${name} plugin could not be installed: ${installed.stderr.trim().slice(0, 200)}`,
      );
    }
    if (name === "command") {
      dirs.push(join(options.project, "packages", "pulumi-command", "bin"));
    } else {
      try {
        const { dir, seconds } = await built(options, "pulumi-resource-kubernetes");
        dirs.push(dir);
        const way = seconds < 1 ? "cache" : "built from source";
        origins.push({
          tool: "pulumi-resource-kubernetes",
          way,
          seconds,
          notes: ["the official plugin is out of reach"],
        });
      } catch (error) {
        failures.push(
          `pulumi-resource-kubernetes: the official plugin is out of reach; building it failed: ${messageOf(error)}`,
        );
      }
    }
  }
  return dirs;
}

/** Installs the official CLI and its language hosts, checked against the checksums that its project publishes beside it. */
async function officialPulumi(options: ToolchainOptions, url: string, target: string): Promise<void> {
  const list = urlOf(options, `get.pulumi.com/releases/sdk/pulumi-${PULUMI_VERSION}-checksums.txt`);
  const name = url.split("/").at(-1) ?? "";
  const response = await fetch(list, { signal: AbortSignal.timeout(20_000) });
  const line = (await response.text()).split("\n").find((text) => text.endsWith(name));
  const sum = line?.split(/\s+/)[0];
  if (!response.ok || sum === undefined) {
    throw new Error(`${list} has no checksum of ${name}`);
  }
  const work = await mkdtemp(join(tmpdir(), "podnet-pulumi-"));
  try {
    await download(url, sum, join(work, name));
    await must("tar", ["-xzf", join(work, name), "-C", work, "--strip-components=1"]);
    await rm(join(work, name));
    await mkdir(join(target, ".."), { recursive: true });
    await must("cp", ["-r", work, `${target}.new`]);
    await rename(`${target}.new`, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function urlOf(options: ToolchainOptions, path: string): string {
  return options.upstream ? options.upstream(path) : `https://${path}`;
}

type Mirror = Pick<Toolchain, "mirrorDir" | "mirrorUrl" | "checksums">;

/** Key of a mirror: equal pins and recipes give equal keys. */
export function mirrorKey(project: string, arch: Arch, releases: readonly ReleaseFile[]): string {
  const hash = createHash("sha256").update(JSON.stringify([releases, imagesOf("control-plane")]));
  for (const source of [...SOURCES, ...AGENT_NETWORKS.flatMap((network) => NETWORK_SOURCES[network])]) {
    hash.update(buildKey(project, source, arch));
  }
  // How images are put together is part of what they are.
  for (const file of ["images", "mirror", "networks"]) {
    hash.update(readFileSync(join(__dirname, `${file}${extname(__filename)}`)));
  }
  return hash.digest("hex").slice(0, 16);
}

/** Makes the mirror that nodes read, or finds it in the cache. */
export async function ensureMirror(
  options: ToolchainOptions,
  origins: Origin[],
  failures: string[],
): Promise<Mirror | undefined> {
  const arch = hostArch();
  const releases = options.releases ?? releaseFiles(arch);
  const dir = join(options.cache, "mirror", mirrorKey(options.project, arch, releases));
  if (existsSync(join(dir, "SHA256SUMS"))) {
    return { mirrorDir: dir, mirrorUrl: `file://${dir}`, checksums: await readChecksums(dir) };
  }
  const work = `${dir}.new`;
  await mkdir(work, { recursive: true });
  const binaries: Record<string, string> = {};
  const need = async (name: string): Promise<void> => {
    const source = sourceNamed(name);
    const { dir: bin, seconds } = await built(options, name);
    Object.assign(binaries, binariesOf(source, bin));
    if (seconds >= 1) {
      origins.push({ tool: name, way: "built from source", seconds, notes: [] });
    }
  };
  const paths: string[] = [];
  const online = await reachable(urlOf(options, "dl.k8s.io/"));
  for (const { name, path, sha256 } of releases) {
    const tried: string[] = [];
    const target = join(work, path);
    if (existsSync(target) && (await sha256File(target)) === sha256) {
      paths.push(path);
      continue;
    }
    if (online) {
      try {
        const started = Date.now();
        await options.progress.step(`downloading ${name}`, 10, () => download(urlOf(options, path), sha256, target));
        origins.push({ tool: name, way: "official release", seconds: (Date.now() - started) / 1000, notes: [] });
        paths.push(path);
        continue;
      } catch (error) {
        tried.push(messageOf(error));
        options.progress.say(`${name}: ${messageOf(error)}; building it from source instead`);
      }
    } else {
      tried.push("the official release is out of reach");
    }
    try {
      await need(SOURCE_OF[name]);
      paths.push(await makeRelease(name, binaries, work, arch));
    } catch (error) {
      failures.push(`${name}: not in the cache; ${tried.join("; ")}; building it failed: ${messageOf(error)}`);
    }
  }
  if (!(await reachable(urlOf(options, "registry.k8s.io/v2/")))) {
    try {
      for (const name of IMAGE_SOURCES) {
        await need(name);
      }
      const pause = await buildPause(options.cache, options.project, sourceNamed("kubernetes"), arch);
      const all: Binaries = { ...binaries, pause: join(pause, "pause") };
      paths.push(
        ...(await options.progress.step("making the images of the nodes", 8, () => makeImages(all, work, arch))),
      );
    } catch (error) {
      failures.push(`images: the image registry is out of reach; making them failed: ${messageOf(error)}`);
    }
  }
  if (failures.length > 0) {
    return undefined;
  }
  const checksums = await options.progress.step("summing the mirror", 3, () => writeChecksums(work, paths));
  await rm(dir, { recursive: true, force: true });
  await rename(work, dir);
  await writeFile(join(dir, "README"), "Made by podnet. Safe to delete: it is made again when it is needed.\n");
  return { mirrorDir: dir, mirrorUrl: `file://${dir}`, checksums };
}

/** Host that answers for an image's registry; Docker Hub's has another name than its images. */
function registryOf(image: string): string {
  const host = image.slice(0, image.indexOf("/"));
  return host === "docker.io" ? "registry-1.docker.io" : host;
}

/**
 * Adds the images of these networks to a mirror, where it lacks them and their registry is out of reach, and returns the
 * mirror's checksums. The mirror keeps its folder, so that nodes that read it find them there. Throws a ToolchainError with
 * all that failed.
 */
export async function ensureNetworkImages(
  options: ToolchainOptions,
  mirror: Pick<Toolchain, "mirrorDir" | "checksums">,
  networks: readonly AgentNetwork[],
): Promise<Readonly<Record<string, string>>> {
  const lacks = (sums: Readonly<Record<string, string>>): AgentNetwork[] =>
    networks.filter((network) => networkImages(network).some((image) => sums[archiveOf(image)] === undefined));
  if (lacks(mirror.checksums).length === 0) {
    return mirror.checksums;
  }
  const onWait = (pid: number): void =>
    options.progress.say(`another podnet (process ${String(pid)}) is making the toolchain; waiting for it`);
  return withLock(join(options.cache, "toolchain.lock"), onWait, async () => {
    let sums: Readonly<Record<string, string>> = await readChecksums(mirror.mirrorDir);
    const failures: string[] = [];
    for (const network of lacks(sums)) {
      const hosts = [...new Set(networkImages(network).map(registryOf))];
      const online = await Promise.all(hosts.map((host) => reachable(urlOf(options, `${host}/v2/`))));
      if (online.every((answers) => answers)) {
        continue;
      }
      try {
        const sources = NETWORK_SOURCES[network];
        const binaries: Record<string, string> = {};
        for (const source of sources) {
          const { dir } = await built(options, source.name, sources);
          Object.assign(binaries, binariesOf(source, dir));
        }
        const paths = await options.progress.step(`making the images of ${network}`, 10, () =>
          makeNetworkImages(network, binaries, options, mirror.mirrorDir, hostArch()),
        );
        sums = await writeChecksums(mirror.mirrorDir, paths, sums);
      } catch (error) {
        failures.push(
          `images of ${network}: their registry (${hosts.join(", ")}) is out of reach; making them failed: ${messageOf(error)}`,
        );
      }
    }
    if (failures.length > 0) {
      throw new ToolchainError(failures);
    }
    return sums;
  });
}

function binariesOf(source: Source, dir: string): Binaries {
  return Object.fromEntries(Object.keys(source.programs).map((name) => [name, join(dir, name)]));
}

async function readChecksums(dir: string): Promise<Record<string, string>> {
  const text = await readFile(join(dir, "SHA256SUMS"), "utf8");
  const rows = text.split("\n").filter((line) => line !== "");
  return Object.fromEntries(rows.map((line) => [line.slice(66), line.slice(0, 64)]));
}
