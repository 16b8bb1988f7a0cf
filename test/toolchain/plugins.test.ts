import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { waitFor } from "../../components/args/wait";
import { withVersion } from "../../toolchain/supply/build";
import { BUILT_PROVIDER_VERSION, PLUGINS } from "../../toolchain/supply/pins";
import { officialHomes } from "../../toolchain/supply/pulumi";
import { homeWith, installBuilt, installFrom, installOwn, pluginDir } from "../../toolchain/supply/plugins";

const plugin = { name: "thing", version: "1.2.3" };
const GUARD = join(__dirname, "..", "..", "toolchain", "supply", "plugin-guard");
let folder = "";
let home = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "podnet-plugins-"));
  home = join(folder, "home");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function program(path: string, says: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho ${says} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}
const installed = (): string => join(pluginDir(home, plugin), "pulumi-resource-thing");
const says = (...args: string[]): string => execFileSync(installed(), args, { encoding: "utf8" }).trim();

test("a built plugin is installed without another copy of it, and replaced by a newer build", async () => {
  const built = program(join(folder, "built"), "built");
  await installBuilt(home, plugin, built, GUARD);
  expect(pluginDir(home, plugin)).toBe(join(home, "plugins", "resource-thing-v1.2.3"));
  expect(says("127.0.0.1:1234")).toBe("built 127.0.0.1:1234");
  expect(statSync(join(pluginDir(home, plugin), "plugin")).ino).toBe(statSync(built).ino);
  await installBuilt(home, plugin, built, GUARD);
  await installBuilt(home, plugin, program(join(folder, "newer"), "newer"), GUARD);
  expect(says()).toBe("newer");
});

test("a built plugin ends within seconds of the CLI that started it, however that ended", async () => {
  const pidFile = join(folder, "pid");
  writeFileSync(join(folder, "waits"), `#!/bin/sh\necho $$ >'${pidFile}'\nexec sleep 60\n`, { mode: 0o755 });
  await installBuilt(home, plugin, join(folder, "waits"), GUARD);
  // In a process group of its own, as Pulumi starts plugins.
  const starts =
    "require('child_process').spawn(process.argv[1], { stdio: 'ignore', detached: true }); setInterval(() => {}, 1000)";
  const cli = spawn(process.execPath, ["-e", starts, installed()], { stdio: "ignore" });
  expect(await waitFor(() => Promise.resolve(existsSync(pidFile) && readFileSync(pidFile, "utf8") !== ""), 10)).toBe(
    true,
  );
  const pid = readFileSync(pidFile, "utf8").trim();
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  cli.kill("SIGKILL");
  expect(await waitFor(() => Promise.resolve(!existsSync(`/proc/${pid}`)), 8)).toBe(true);
});

test("a plugin of the clone's own stays in the clone, wherever that is", async () => {
  await installOwn(home, plugin, program(join(folder, "a clone's", "program"), "own"));
  expect(says("127.0.0.1:1234")).toBe("own 127.0.0.1:1234");
  await installOwn(home, plugin, program(join(folder, "moved", "program"), "moved"));
  expect(says()).toBe("moved");
});

test("an official plugin takes the place of one of the clone's own, and gives it back", async () => {
  const own = program(join(folder, "own"), "own");
  await installOwn(home, plugin, own);
  const other = join(folder, "other");
  program(join(pluginDir(other, plugin), "pulumi-resource-thing"), "official");
  expect(homeWith([home.concat("-none"), other], plugin)).toBe(other);
  await installFrom(home, plugin, other);
  expect(says()).toBe("official");
  await installFrom(home, plugin, other);
  expect(readFileSync(join(pluginDir(other, plugin), "pulumi-resource-thing"), "utf8")).toContain("official");
  await installOwn(home, plugin, own);
  expect(says()).toBe("own");
  await installFrom(home, plugin, other);
  expect(says()).toBe("official");
});

test("the home of a clone, which its environment names, is none that official plugins are in", () => {
  vi.stubEnv("PULUMI_HOME", "/home/me/pulumi");
  expect(officialHomes("/cache")).toEqual(["/home/me/pulumi", "/cache/pulumi-home"]);
  vi.stubEnv("PULUMI_HOME", "/other/clone/.podnet/pulumi-home");
  expect(officialHomes("/cache")).toEqual([join(homedir(), ".pulumi"), "/cache/pulumi-home"]);
  vi.unstubAllEnvs();
});

test("a plugin whose installation was interrupted does not count", () => {
  program(join(pluginDir(home, plugin), "pulumi-resource-thing"), "half");
  writeFileSync(`${pluginDir(home, plugin)}.partial`, "");
  expect(homeWith([home], plugin)).toBeUndefined();
  expect(existsSync(pluginDir(home, plugin))).toBe(true);
});

test("the built provider bears the version that the package asks for, and the commit it is of", () => {
  const asked = PLUGINS.find(({ name }) => name === "kubernetes")?.version ?? "";
  const { version } = JSON.parse(readFileSync(require.resolve("@pulumi/kubernetes/package.json"), "utf8")) as {
    version: string;
  };
  expect(asked).toBe(version);
  const pins = readFileSync(join(__dirname, "../../toolchain/supply/go/pulumi-resource-kubernetes/go.mod"), "utf8");
  const commit = /provider\/v4 v4\.0\.0-\d{14}-([0-9a-f]{12})\n/.exec(pins)?.[1] ?? "none";
  expect(BUILT_PROVIDER_VERSION).toBe(`${asked}+podnet.${commit}`);
  expect(withVersion('{\n  "name": "kubernetes",\n  "version": "dev",\n  "types": {}\n}', "1.0.0")).toBe(
    '{"name":"kubernetes","version":"1.0.0","types":{}}',
  );
});
