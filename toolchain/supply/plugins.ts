import { existsSync } from "node:fs";
import { chmod, copyFile, link, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { quote } from "../host/quote";
import { must, run } from "../host/exec";

/** A plugin that a package asks for, by name and exact version. */
export interface Plugin {
  readonly name: string;
  readonly version: string;
}

/** Folder of a plugin in a home of Pulumi's. Pulumi takes what is there for installed and says nothing about it. */
export function pluginDir(home: string, { name, version }: Plugin): string {
  return join(home, "plugins", `resource-${name}-v${version}`);
}

/** Gives a file a second name, or copies it where the two are on different file systems. Replaces what is there. */
export async function share(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  const work = await mkdtemp(`${to}.new-`);
  try {
    const file = join(work, "file");
    await link(from, file).catch(() => copyFile(from, file));
    await rename(file, to);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Installs a plugin whose program was built here. `guard` is the program that runs it, and ends it with a CLI that was killed. */
export async function installBuilt(home: string, plugin: Plugin, program: string, guard: string): Promise<void> {
  const kept = join(pluginDir(home, plugin), "plugin");
  // The wrapper first: what of another kind of installation is there goes with its folder.
  await installOwn(home, plugin, guard, [kept]);
  const [seen, wanted] = await Promise.all([stat(kept).catch(() => undefined), stat(program)]);
  if (seen?.ino !== wanted.ino || seen.dev !== wanted.dev) {
    await share(program, kept);
  }
}

/** Installs a plugin that is a program of this clone, which stays where it is. `words` are its first arguments. */
export async function installOwn(
  home: string,
  plugin: Plugin,
  program: string,
  words: readonly string[] = [],
): Promise<void> {
  const dir = pluginDir(home, plugin);
  const target = join(dir, `pulumi-resource-${plugin.name}`);
  const text = `#!/bin/sh\nexec ${quote(program)} ${words.map((word) => `${quote(word)} `).join("")}"$@"\n`;
  if ((await readFile(target, "utf8").catch(() => "")) === text) {
    return;
  }
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  await writeFile(target, text);
  await chmod(target, 0o755);
}

/** Installs a plugin that another home has. The folder appears complete or not at all. */
export async function installFrom(home: string, plugin: Plugin, other: string): Promise<void> {
  const [from, to] = [pluginDir(other, plugin), pluginDir(home, plugin)];
  const program = `pulumi-resource-${plugin.name}`;
  const [seen, wanted] = await Promise.all([stat(join(to, program)).catch(() => undefined), stat(join(from, program))]);
  if (seen?.size === wanted.size && seen.mtimeMs === wanted.mtimeMs) {
    return;
  }
  await mkdir(dirname(to), { recursive: true });
  const work = `${to}.new`;
  await rm(work, { recursive: true, force: true });
  // The same files under a second name where that can be: a plugin is hundreds of megabytes.
  if ((await run("cp", ["-al", from, work])).code !== 0) {
    await rm(work, { recursive: true, force: true });
    await must("cp", ["-a", from, work]);
  }
  await rm(to, { recursive: true, force: true });
  await rename(work, to);
}

/** The home among these that has a plugin whole, as an official installation leaves it. */
export function homeWith(homes: readonly string[], plugin: Plugin): string | undefined {
  return homes.find((home) => {
    const dir = pluginDir(home, plugin);
    return existsSync(join(dir, `pulumi-resource-${plugin.name}`)) && !existsSync(`${dir}.partial`);
  });
}
