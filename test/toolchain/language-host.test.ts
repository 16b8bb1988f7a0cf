import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { builtCliDir, joinCli } from "../../toolchain/supply/pulumi";

const project = join(__dirname, "..", "..");
/** What the CLI is to its language host. */
const STAYS =
  "require('child_process').spawn(process.argv[1], process.argv.slice(2), { stdio: 'ignore' }); setInterval(() => {}, 1000)";
/** A language host, as far as processes and folders are concerned: it makes a folder for pipes and runs a program with it. */
const HOST = `#!/bin/sh
mkdir "$TMPDIR/pulumi-node-pipes1"
echo "$TMPDIR" >"$1/folder"
sh -c 'echo $$ >"$1/program"; while sleep 1; do :; done' sh "$1" "$TMPDIR/pulumi-node-pipes1" &
echo $$ >"$1/host"
wait
`;

let folder = "";
let cli: ChildProcess;
const read = (name: string): string => readFileSync(join(folder, name), "utf8").trim();
function alive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${String(pid)}/stat`, "utf8"));
  } catch {
    return false;
  }
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "podnet-host-"));
  const builds = ["pulumi", "pulumi-language-nodejs"].map((name) => join(folder, `${name}-0123456789abcdef`));
  builds.forEach((build) => mkdirSync(build));
  writeFileSync(join(builds[0] ?? "", "pulumi"), "");
  writeFileSync(join(builds[1] ?? "", "pulumi-language-nodejs"), HOST, { mode: 0o755 });
  const target = await joinCli(project, join(folder, "cache"), builds);
  expect(target).toBe(builtCliDir(project, join(folder, "cache"), builds));
  const host = join(target, "pulumi-language-nodejs");
  expect(statSync(host).mode & 0o777).toBe(0o755);
  cli = spawn(process.execPath, ["-e", STAYS, host, folder], { stdio: "ignore" });
  for (const name of ["folder", "program", "host"]) {
    await expect.poll(() => existsSync(join(folder, name)) && read(name) !== "", { timeout: 10_000 }).toBe(true);
  }
});
afterEach(() => {
  for (const pid of [cli.pid ?? 0, Number(read("host")), Number(read("program"))]) {
    if (alive(pid)) {
      process.kill(pid, "SIGKILL");
    }
  }
  rmSync(folder, { recursive: true, force: true });
});

test("has a folder of its own for what it leaves", () => {
  expect(read("folder")).toMatch(/^\/.*\/podnet-language-[A-Za-z0-9]{8}$/);
  expect(dirname(read("folder"))).toBe(tmpdir());
  expect(existsSync(join(read("folder"), "pulumi-node-pipes1"))).toBe(true);
});

test("ends within seconds of a killed CLI, with the program that it runs and its folder", async () => {
  const pids = [Number(read("host")), Number(read("program"))];
  expect(pids.map(alive)).toEqual([true, true]);
  cli.kill("SIGKILL");
  await expect.poll(() => pids.filter(alive), { timeout: 8_000 }).toEqual([]);
  await expect.poll(() => existsSync(read("folder")), { timeout: 3_000 }).toBe(false);
});

test("leaves no folder where the CLI ends it", async () => {
  process.kill(Number(read("host")), "SIGKILL");
  await expect.poll(() => existsSync(read("folder")), { timeout: 8_000 }).toBe(false);
  expect(alive(cli.pid ?? 0)).toBe(true);
});
