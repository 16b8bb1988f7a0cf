import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { must, run } from "../host/exec";
import type { Source } from "./pins";

/** Folder of the pinned sources, each with its go.mod and go.sum. */
export function sourcesDir(project: string): string {
  return join(project, "toolchain", "supply", "go");
}

/** Key of a build: equal pins, recipe and architecture give equal keys. */
export function buildKey(project: string, source: Source, arch: string): string {
  const hash = createHash("sha256").update(JSON.stringify([{ ...source, seconds: 0 }, arch]));
  for (const file of ["go.mod", "go.sum"]) {
    hash.update(readFileSync(join(sourcesDir(project), source.name, file)));
  }
  return hash.digest("hex").slice(0, 16);
}

/** Folder of a build's binaries in the cache; it is there when the build is complete. */
export function buildDir(cache: string, project: string, source: Source, arch: string): string {
  return join(cache, "tools", `${source.name}-${buildKey(project, source, arch)}`);
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
  if ((await run("go", ["version"])).code !== 0) {
    throw new Error("Go is not on PATH; install Go 1.26 or newer");
  }
  await mkdir(dirname(target), { recursive: true });
  const work = await mkdtemp(`${target}.new-`);
  try {
    const env = {
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
    const flags = [
      "-trimpath",
      "-ldflags",
      source.ldflags,
      ...(source.tags === undefined ? [] : ["-tags", source.tags]),
    ];
    const cwd = join(sourcesDir(project), source.name);
    const paths = Object.entries(source.programs);
    const last = (path: string): string => path.split("/").at(-1) ?? path;
    const together = paths.every(([name, path]) => last(path) === name);
    if (together) {
      await must("go", ["build", ...flags, "-o", `${work}/`, ...paths.map(([, path]) => path)], { cwd, env });
    } else {
      for (const [name, path] of paths) {
        await must("go", ["build", ...flags, "-o", join(work, name), path], { cwd, env });
      }
    }
    await rename(work, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return target;
}

/** Folder of a module of a pinned source, downloaded if need be: what is built from it may need more of it than Go does. */
export async function moduleDir(project: string, source: Source, module: string): Promise<string> {
  const cwd = join(sourcesDir(project), source.name);
  await must("go", ["mod", "download", module], { cwd });
  return (await must("go", ["list", "-m", "-f", "{{.Dir}}", module], { cwd })).trim();
}

/** Builds the pause program, which is C, from the Kubernetes module's own source, unless the cache has it. */
export async function buildPause(cache: string, project: string, kubernetes: Source, arch: string): Promise<string> {
  const target = `${buildDir(cache, project, kubernetes, arch)}-pause`;
  if (existsSync(target)) {
    return target;
  }
  const module = await moduleDir(project, kubernetes, "k8s.io/kubernetes");
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
