import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { must, run } from "../host/exec";
import { download } from "./download";
import { CLI_SOURCES } from "./plan";
import { PULUMI_VERSION } from "./pins";
import { homeWith, installBuilt, installFrom, installOwn, type Plugin, share } from "./plugins";

/** Whether the Pulumi on PATH, with its language host, is one that podnet works with. */
export async function pulumiOnPath(): Promise<boolean> {
  const version = await run("pulumi", ["version"]);
  return (
    version.code === 0 &&
    /^v?3\.(2[4-9]\d|[3-9]\d\d)\./.test(version.stdout.trim()) &&
    (await run("pulumi-language-nodejs", ["--help"])).code !== 127
  );
}

/** Folder of the official CLI in the cache. */
export function officialCliDir(cache: string): string {
  return join(cache, "pulumi", PULUMI_VERSION);
}

/** What runs the language host that is built here, and ends it with its CLI. */
const LANGUAGE_HOST = join("toolchain", "supply", "language-host");

/** Folder of a CLI built here, by the folders of its builds and by what runs its language host. */
export function builtCliDir(project: string, cache: string, builds: readonly string[]): string {
  const runs = createHash("sha256").update(readFileSync(join(project, LANGUAGE_HOST)));
  const names = [...builds.map((dir) => dir.slice(-16)), runs.digest("hex").slice(0, 16)];
  return join(cache, "pulumi", names.join("-"));
}

/**
 * Puts the CLI and its language host, built apart, into one folder: Pulumi takes a language host that lies beside it for its
 * own, and warns of one elsewhere on PATH. Returns the folder.
 */
export async function joinCli(project: string, cache: string, builds: readonly string[]): Promise<string> {
  const target = builtCliDir(project, cache, builds);
  for (const [index, name] of CLI_SOURCES.entries()) {
    const isHost = name === "pulumi-language-nodejs";
    await share(join(builds[index] ?? "", name), join(target, isHost ? "language-host.bin" : name));
    if (isHost) {
      // A copy: the cache outlives this clone. Last, since the folder counts as whole by it.
      const copy = await mkdtemp(join(target, "new-"));
      await copyFile(join(project, LANGUAGE_HOST), join(copy, name));
      await rename(join(copy, name), join(target, name));
      await rm(copy, { recursive: true });
    }
  }
  return target;
}

/**
 * Installs the official CLI and its language hosts, checked against the checksums that its project publishes beside it.
 * `urlOf` turns a path such as `get.pulumi.com/…` into a URL.
 */
export async function officialPulumi(urlOf: (path: string) => string, cache: string): Promise<void> {
  const target = officialCliDir(cache);
  const name = `pulumi-v${PULUMI_VERSION}-linux-${process.arch}.tar.gz`;
  const list = urlOf(`get.pulumi.com/releases/sdk/pulumi-${PULUMI_VERSION}-checksums.txt`);
  const response = await fetch(list, { signal: AbortSignal.timeout(20_000) });
  const line = (await response.text()).split("\n").find((text) => text.endsWith(name));
  const sum = line?.split(/\s+/)[0];
  if (!response.ok || sum === undefined) {
    throw new Error(`${list} has no checksum of ${name}`);
  }
  const work = await mkdtemp(join(tmpdir(), "podnet-pulumi-"));
  try {
    await download(urlOf(`get.pulumi.com/releases/sdk/${name}`), sum, join(work, name));
    await must("tar", ["-xzf", join(work, name), "-C", work, "--strip-components=1"]);
    await rm(join(work, name));
    await mkdir(join(target, ".."), { recursive: true });
    await must("cp", ["-r", work, `${target}.new`]);
    await rename(`${target}.new`, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Homes of Pulumi's in which an official plugin may be: the user's own, and the one that podnet installs into. */
export function officialHomes(cache: string): string[] {
  const user = process.env["PULUMI_HOME"] ?? "";
  // A shell that has a clone's environment names the clone's home, whose plugins are podnet's own.
  const own = user === "" || user.endsWith(join(".podnet", "pulumi-home"));
  return [own ? join(homedir(), ".pulumi") : user, join(cache, "pulumi-home")];
}

/** Whether the official plugin is on this machine. */
export function hasOfficial(cache: string, plugin: Plugin): boolean {
  return homeWith(officialHomes(cache), plugin) !== undefined;
}

/** Has the CLI (its path) install an official plugin into the cache, once for all clones. */
export async function installOfficial(cli: string, cache: string, { name, version }: Plugin): Promise<void> {
  const env = { ...process.env, PULUMI_HOME: join(cache, "pulumi-home"), PULUMI_SKIP_UPDATE_CHECK: "true" };
  await must("timeout", ["120", cli, "plugin", "install", "resource", name, `v${version}`], { env });
}

/** Where the plugins that are not official come from: the build of the one, the program of the other. */
export interface OwnPlugins {
  readonly kubernetes: string | undefined;
  /** What runs the build, and ends it with its CLI. */
  readonly guard: string;
  readonly command: string;
}

/** Puts these plugins into a clone's home of Pulumi's: the official one where this machine has it, else podnet's own. */
export async function fillHome(
  home: string,
  cache: string,
  plugins: readonly Plugin[],
  own: OwnPlugins,
): Promise<void> {
  for (const plugin of plugins) {
    const official = homeWith(officialHomes(cache), plugin);
    if (official !== undefined) {
      await installFrom(home, plugin, official);
    } else if (plugin.name === "command") {
      await installOwn(home, plugin, own.command);
    } else if (own.kubernetes !== undefined && existsSync(own.kubernetes)) {
      await installBuilt(home, plugin, own.kubernetes, own.guard);
    }
  }
}
