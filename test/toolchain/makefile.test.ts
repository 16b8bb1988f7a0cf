import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "podnet-makefile-"));
  copyFileSync(join(__dirname, "..", "..", "Makefile"), join(folder, "Makefile"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("packages for development are installed whatever NODE_ENV says, since podnet is compiled with them", () => {
  mkdirSync(join(folder, "tool"));
  writeFileSync(join(folder, "tool", "package.json"), '{"name":"tool","version":"1.0.0"}');
  const root = { name: "clone", version: "1.0.0", devDependencies: { tool: "file:tool" } };
  writeFileSync(join(folder, "package.json"), JSON.stringify(root));
  const packages = {
    "": root,
    "node_modules/tool": { resolved: "tool", link: true },
    tool: { version: "1.0.0", dev: true },
  };
  writeFileSync(
    join(folder, "package-lock.json"),
    JSON.stringify({ name: "clone", version: "1.0.0", lockfileVersion: 3, requires: true, packages }),
  );
  const env = { ...process.env, NODE_ENV: "production", npm_config_omit: "dev" };
  execFileSync("make", ["node_modules/.podnet"], { cwd: folder, env, stdio: "pipe" });
  expect(existsSync(join(folder, "node_modules", "tool", "package.json"))).toBe(true);
});
