import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { filesBelow } from "../../components/node/programFiles";
import { must, run } from "../host/exec";
import type { Source } from "./pins";

/** Folder of the pinned sources, each with its go.mod and go.sum. */
export function sourcesDir(project: string): string {
  return join(project, "toolchain", "supply", "go");
}

/** Key of a build: equal pins, recipe and architecture give equal keys. */
export function buildKey(project: string, source: Source, arch: string): string {
  const hash = createHash("sha256").update(JSON.stringify([{ ...source, seconds: 0 }, arch]));
  const folder = join(sourcesDir(project), source.name);
  for (const file of filesBelow(folder)) {
    hash.update(readFileSync(join(folder, file)));
  }
  return hash.digest("hex").slice(0, 16);
}

/** Folder of a build's binaries in the cache; it is there when the build is complete. */
export function buildDir(cache: string, project: string, source: Source, arch: string): string {
  return join(cache, "tools", `${source.name}-${buildKey(project, source, arch)}`);
}

/** Environment in which Go reads and builds a pinned source, and nothing but it. */
function goEnv(source: Source, arch: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    CGO_ENABLED: source.cgo ? "1" : "0",
    GOFLAGS: "-mod=readonly",
    GOARCH: arch,
    GOTOOLCHAIN: process.env["GOTOOLCHAIN"] ?? "local",
    // Not in every checksum database; go.sum guards it all the same.
    GONOSUMDB: [
      ...["github.com/pulumi/pulumi-kubernetes/*", "github.com/flannel-io/*", "github.com/k3s-io/*"],
      process.env["GONOSUMDB"],
    ]
      .filter(Boolean)
      .join(","),
  };
}

/** Go's flags that say which files of a source are built. */
function tagFlags(source: Source): string[] {
  return source.tags === undefined ? [] : ["-tags", source.tags];
}

/** Throws where there is no Go. */
async function needGo(): Promise<void> {
  if ((await run("go", ["version"])).code !== 0) {
    throw new Error("Go is not on PATH; install Go 1.26 or newer");
  }
}

/** Does work in the folder of a pinned source; where the source embeds files, in a copy of it that has them. */
async function inSource<T>(
  project: string,
  source: Source,
  arch: string,
  scratch: string,
  work: (cwd: string) => Promise<T>,
): Promise<T> {
  const home = join(sourcesDir(project), source.name);
  if (!source.embeds) {
    return work(home);
  }
  await mkdir(dirname(scratch), { recursive: true });
  const cwd = await mkdtemp(`${scratch}.src-`);
  try {
    await cp(home, cwd, { recursive: true });
    const { files, module, versioned } = source.embeds;
    const dir = await moduleDir(project, source, module, arch);
    for (const [name, path] of Object.entries(files)) {
      const content = await readFile(join(dir, path), "utf8");
      await writeFile(join(cwd, name), name === versioned.file ? withVersion(content, versioned.version) : content);
    }
    return await work(cwd);
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

/** A JSON object's text with its `version` set, and without the spaces. */
export function withVersion(text: string, version: string): string {
  return JSON.stringify({ ...(JSON.parse(text) as object), version });
}

/** Gets the modules that a build needs into Go's cache, building nothing. Does nothing when the build is there. */
export async function fetchSource(cache: string, project: string, source: Source, arch: string): Promise<void> {
  const target = buildDir(cache, project, source, arch);
  if (existsSync(target)) {
    return;
  }
  await needGo();
  await inSource(project, source, arch, target, async (cwd) => {
    // Loading the packages gets just the modules that they are in; `go mod download` would get those of all tests too.
    const args = ["list", "-deps", "-f", "", ...tagFlags(source), ...Object.values(source.programs)];
    await must("go", args, { cwd, env: goEnv(source, arch) });
  });
}

/**
 * Builds a pinned source with Go, through its module proxy and checksum files, unless the cache has it, and returns the
 * folder of its binaries. An interrupted build leaves nothing but Go's own cache, from which the next one goes on.
 */
export async function build(cache: string, project: string, source: Source, arch: string): Promise<string> {
  const target = buildDir(cache, project, source, arch);
  if (existsSync(target)) {
    return target;
  }
  await needGo();
  await mkdir(dirname(target), { recursive: true });
  const work = await mkdtemp(`${target}.new-`);
  try {
    const env = goEnv(source, arch);
    // No binary keeps debugging data (its linker flags have -s -w): making it would be a tenth of the compilers' time.
    const flags = ["-trimpath", "-gcflags=all=-dwarf=false", "-ldflags", source.ldflags, ...tagFlags(source)];
    const paths = Object.entries(source.programs);
    const last = (path: string): string => path.split("/").at(-1) ?? path;
    const together = paths.every(([name, path]) => last(path) === name);
    await inSource(project, source, arch, target, async (cwd) => {
      if (together) {
        await must("go", ["build", ...flags, "-o", `${work}/`, ...paths.map(([, path]) => path)], { cwd, env });
        return;
      }
      for (const [name, path] of paths) {
        await must("go", ["build", ...flags, "-o", join(work, name), path], { cwd, env });
      }
    });
    await rename(work, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return target;
}

/** Folder of a module of a pinned source, downloaded if need be: what is built from it may need more of it than Go does. */
export async function moduleDir(project: string, source: Source, module: string, arch: string): Promise<string> {
  const options = { cwd: join(sourcesDir(project), source.name), env: goEnv(source, arch) };
  await must("go", ["mod", "download", module], options);
  return (await must("go", ["list", "-m", "-f", "{{.Dir}}", module], options)).trim();
}

/** Builds the pause program, which is C, from the Kubernetes module's own source, unless the cache has it. */
export async function buildPause(cache: string, project: string, kubernetes: Source, arch: string): Promise<string> {
  const target = `${buildDir(cache, project, kubernetes, arch)}-pause`;
  if (existsSync(target)) {
    return target;
  }
  const module = await moduleDir(project, kubernetes, "k8s.io/kubernetes", arch);
  await mkdir(dirname(target), { recursive: true });
  const work = await mkdtemp(`${target}.new-`);
  try {
    const source = join(module, "build", "pause", "linux", "pause.c");
    await must("gcc", ["-Os", "-static", "-s", "-o", join(work, "pause"), source]);
    await rename(work, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return target;
}
