import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect } from "vitest";
import type { Finding } from "../../components/connectivity/report/finding";
import type { Report } from "../../components/connectivity/report/report";
import { chooseSubnet, HOST_ROUTES, labIdentity, parseHostRoutes } from "../../components/lab/identity";
import type { Deployment } from "../../toolchain/make/state";
import { givenNames, hostView, type Marks, tracesOf } from "./host";

/** The clone under test. */
export const PROJECT = resolve(__dirname, "..", "..");
/** The test's own stack and lab, so that a lab that somebody uses is left alone. */
export const STACK = "test";
const identity = labIdentity(join(PROJECT, "test"));
export const LAB = identity.name;
export const BRIDGE = identity.bridge;

let subnet: string | undefined;
const given = new Set<string>();
const marks = (): Marks => ({ name: LAB, bridge: BRIDGE, subnet, given });

/** How a program ended and what it printed. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a program of the toolchain, in the environment that the command line gave the tests. */
export function run(command: string, args: readonly string[], input?: string): Ended {
  const done = spawnSync(command, args, {
    cwd: PROJECT,
    input,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    timeout: 580_000,
  });
  if (done.error) {
    throw done.error;
  }
  return { code: done.status ?? -1, out: done.stdout, err: done.stderr };
}

/** Runs a program that has to succeed and returns what it printed. */
export function must(command: string, args: readonly string[], input?: string): string {
  const ended = run(command, args, input);
  if (ended.code !== 0) {
    throw failure(command, args, ended);
  }
  return ended.out;
}

function failure(command: string, args: readonly string[], { code, out, err }: Ended): Error {
  return new Error(`${command} ${args.join(" ")}: exit code ${String(code)}\n${out.slice(-4000)}\n${err.slice(-4000)}`);
}

/** Runs the CLI on the test's stack. */
export function pulumi(...args: string[]): Ended {
  const ended = run("pulumi", [...args, "--stack", STACK, "--non-interactive"]);
  // What there is now is what has to be gone later.
  givenNames(marks()).forEach((name) => given.add(name));
  return ended;
}

/** Runs the CLI on the test's stack, which has to succeed. */
export function mustPulumi(...args: string[]): string {
  const ended = pulumi(...args);
  if (ended.code !== 0) {
    throw failure("pulumi", args, ended);
  }
  return ended.out;
}

/** Sets config of the test's stack. */
export function configure(settings: Readonly<Record<string, string>>): void {
  const pairs = Object.entries(settings).flatMap(([key, value]) => ["--plaintext", `podnet:${key}=${value}`]);
  must("pulumi", ["config", "set-all", "--stack", STACK, ...pairs]);
}

/** Takes a setting of the test's stack away, if it is there. */
export function unset(key: string): void {
  run("pulumi", ["config", "rm", `podnet:${key}`, "--stack", STACK]);
}

/** Settings of the tests' lab: the image, mirror and engine of the clone's own, but names and a subnet of its own. */
export function labSettings(): Readonly<Record<string, string>> {
  const written = JSON.parse(readFileSync(join(PROJECT, ".podnet", "written-config.json"), "utf8")) as {
    settings: Record<string, string>;
  };
  subnet = chooseSubnet(identity, parseHostRoutes(must("ip", HOST_ROUTES)));
  return { ...written.settings, labName: LAB, labSubnet: subnet };
}

/** Makes the test's stack, with the settings of the tests' lab. */
export function createStack(): void {
  // What a killed run left of its config is sealed with a passphrase that is gone.
  rmSync(join(PROJECT, `Pulumi.${STACK}.yaml`), { force: true });
  must("pulumi", ["stack", "init", STACK]);
  configure(labSettings());
}

/** An output of the stack, secrets in the clear. */
export function output(name: string): unknown {
  const all = JSON.parse(mustPulumi("stack", "output", "--json", "--show-secrets")) as Record<string, unknown>;
  return all[name];
}

/** Runs a Bash script on a lab node as its root, beside SSH, as somebody who breaks things would. */
export function onNode(node: string, script: string): string {
  return must("docker", ["exec", "-i", `${LAB}-${node}`, "bash", "--norc", "-euo", "pipefail", "-s"], script);
}

/**
 * Settings of a machine's kubelet, for its /etc/default/kubelet, with which it neither evicts pods nor collects images for lack
 * of disk. A test's machine shares the host's disk, whose free percentage says nothing of the room that it has.
 */
export const ROOMY_KUBELET =
  'KUBELET_EXTRA_ARGS="--eviction-hard=memory.available<100Mi,nodefs.available<0%,nodefs.inodesFree<0%,imagefs.available<0%,imagefs.inodesFree<0% --image-gc-high-threshold=100"\n';

/** Runs kubectl against the lab. */
export function kubectl(...args: string[]): string {
  return onNode("cp", `kubectl --kubeconfig /etc/kubernetes/admin.conf ${args.map((arg) => `'${arg}'`).join(" ")}`);
}

/** Runs the connectivity check as \`make verify\` does and returns its report. */
export function check(verify: string): Report {
  const done = spawnSync(process.execPath, [join(PROJECT, "dist", "cli", "main.js"), "check"], {
    input: verify,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    timeout: 300_000,
  });
  if (done.status !== 0 && done.status !== 1) {
    throw new Error(`the check could not run:\n${done.stderr}`);
  }
  return JSON.parse(done.stdout) as Report;
}

/** Runs `podnet verify` with these words, and returns its exit code and its report. */
export function verified(...words: readonly string[]): { readonly code: number; readonly report: Report | undefined } {
  const { code, out } = run(process.execPath, [join(PROJECT, "dist", "cli", "main.js"), "verify", ...words]);
  return { code, report: out === "" ? undefined : (JSON.parse(out) as Report) };
}

/** Failures as \`claim source -> target protocol\`, sorted and without doubles. */
export function failures(report: Report): string[] {
  const text = ({ claim, source, target, protocol }: Finding): string =>
    `${claim} ${source} -> ${target}${protocol ? ` ${protocol}` : ""}`;
  return [...new Set(report.problems.filter(({ status }) => status === "failed").map(text))].sort();
}

/** The state of the test's stack. */
export function state(): Deployment {
  return (JSON.parse(mustPulumi("stack", "export")) as { deployment: Deployment }).deployment;
}

/** Sees that what is declared is there and proven, nothing is pending, and nothing waits to be changed. */
export function sound(): void {
  expect(state().pending_operations ?? []).toEqual([]);
  const { changeSummary } = JSON.parse(mustPulumi("preview", "--json")) as { changeSummary: object };
  expect(Object.keys(changeSummary)).toEqual(["same"]);
  const report = check(String(output("verify")));
  expect(failures(report)).toEqual([]);
  expect(report.passed).toBe(true);
}

/** Breaks something, sees exactly these failures, mends it, sees none, and returns what the first check reported. */
export function broken(verify: string, breakIt: () => void, mendIt: () => void, expected: readonly string[]): Report {
  let report: Report;
  try {
    breakIt();
    report = check(verify);
  } finally {
    mendIt();
  }
  expect(failures(report)).toEqual([...expected].sort());
  expect(report.passed).toBe(false);
  const mended = check(verify);
  expect(failures(mended)).toEqual([]);
  expect(mended.passed).toBe(true);
  return report;
}

/** Times that somebody logged in to a node by SSH since it booted. */
export function logins(node: string): number {
  const log = onNode(node, "journalctl --no-pager -o cat -u ssh || true");
  return log.split("\n").filter((line) => line.startsWith("Accepted publickey")).length;
}

/** What this lab has on its host now, to compare before and after. What other labs do meanwhile is not seen. */
export function hostState(): Record<string, string[]> {
  return tracesOf(marks(), hostView());
}

/** A project elsewhere that has podnet as its npm tarball and runs the ready program with the test stack's config. */
export function packagedProject(): string {
  const folder = mkdtempSync(join(tmpdir(), "podnet-package-"));
  const modules = join(folder, "node_modules");
  mkdirSync(modules);
  const tarball = must("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder]).trim();
  must("tar", ["-xzf", join(folder, tarball), "-C", modules]);
  renameSync(join(modules, "package"), join(modules, "podnet"));
  for (const name of readdirSync(join(PROJECT, "node_modules"))) {
    if (!name.startsWith(".")) {
      symlinkSync(join(PROJECT, "node_modules", name), join(modules, name));
    }
  }
  writeFileSync(join(folder, "Pulumi.yaml"), "name: podnet\nruntime: nodejs\n");
  writeFileSync(join(folder, "index.js"), 'module.exports = require("./node_modules/podnet/dist/src/main.js");\n');
  copyFileSync(join(PROJECT, `Pulumi.${STACK}.yaml`), join(folder, `Pulumi.${STACK}.yaml`));
  return folder;
}
