import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withVersion } from "../../toolchain/supply/build";
import { BUILT_PROVIDER_VERSION, PLUGINS } from "../../toolchain/supply/pins";
import { homeWith, installBuilt, installFrom, installOwn, pluginDir } from "../../toolchain/supply/plugins";

const plugin = { name: "thing", version: "1.2.3" };
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
  await installBuilt(home, plugin, built);
  expect(pluginDir(home, plugin)).toBe(join(home, "plugins", "resource-thing-v1.2.3"));
  expect(says()).toBe("built");
  expect(statSync(installed()).ino).toBe(statSync(built).ino);
  await installBuilt(home, plugin, built);
  await installBuilt(home, plugin, program(join(folder, "newer"), "newer"));
  expect(says()).toBe("newer");
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
