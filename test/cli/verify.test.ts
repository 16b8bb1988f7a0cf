import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Asked } from "../../components/connectivity/options";
import type { Ran, Telling } from "../../components/connectivity/run";
import { verifyCommand } from "../../cli/verify";

const runOnce = vi.hoisted(() => vi.fn<(given: string, asked: Asked, telling?: Telling) => Promise<Ran>>());
vi.mock("../../components/connectivity/run", async (original) => ({ ...(await original<object>()), runOnce }));

let folder: string;
let said: string;
let printed: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "podnet-verify-"));
  said = "";
  printed = [];
  runOnce.mockReset();
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    said += String(text);
    return true;
  });
  vi.spyOn(console, "log").mockImplementation((text) => void printed.push(String(text)));
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** Puts a program called pulumi first on PATH. */
function pulumi(script: string): void {
  writeFileSync(join(folder, "pulumi"), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, "pulumi"), 0o755);
  vi.stubEnv("PATH", `${folder}:${process.env["PATH"] ?? ""}`);
}

const report = { passed: false } as Ran["report"];

test("the selected stack's output is what is proven, and the run's exit code is the command's", async () => {
  pulumi('echo "$@"');
  runOnce.mockResolvedValue({ code: 1, report });
  expect(await verifyCommand(["--only", "dns,api", "--node", "w1"])).toBe(1);
  const [given, asked] = runOnce.mock.calls[0] ?? [];
  expect(given).toBe("stack output verify --show-secrets --non-interactive\n");
  expect(asked?.selection).toEqual({ claims: ["dns", "api"], nodes: ["w1"] });
  expect(printed).toEqual(['{"passed":false}']);
});

test("a stack and an output of another name can be given; with --table nothing is printed", async () => {
  pulumi('echo "$@"');
  runOnce.mockResolvedValue({ code: 0, report });
  expect(await verifyCommand(["--table", "--stack", "org/prod", "--output", "check"])).toBe(0);
  expect(runOnce.mock.calls[0]?.[0]).toBe("stack output check --show-secrets --non-interactive --stack org/prod\n");
  expect(printed).toEqual([]);
});

test("a file can have the input", async () => {
  writeFileSync(join(folder, "input"), "{}");
  runOnce.mockResolvedValue({ code: 0, report });
  expect(await verifyCommand(["--input", join(folder, "input")])).toBe(0);
  expect(runOnce.mock.calls[0]?.[0]).toBe("{}");
});

test.each([
  [["--watch", "0"], '--watch must be a whole number of seconds, 1 or more, got "0"; usage: podnet verify [--table]'],
  [["--input", "a", "--stack", "b"], "--stack and --input exclude each other; usage: podnet verify"],
  [["--kubeconfig", "a", "--stack", "b"], "--stack and --kubeconfig exclude each other"],
  [["--image", "i", "--context", "c"], "--context and --image go with --kubeconfig alone; usage: podnet verify"],
  [["--kubeconfig", "/no/such"], "ENOENT"],
  [["--only", ""], "--only names nothing; leave it away to prove everything, or name what is proven"],
  [["--node", ","], "--node names nothing"],
  [["--only", "dnss"], 'there is no claim "dnss"; did you mean "dns"?'],
  [["--nod", "a"], "Unknown option '--nod'"],
  [["--input", "/no/such"], "ENOENT"],
])("%j could not run, and nothing is asked", async (words, message) => {
  expect(await verifyCommand(words)).toBe(2);
  expect(said).toContain("connectivity check could not run: ");
  expect(said).toContain(message);
  expect(runOnce).not.toHaveBeenCalled();
});

test("a kubeconfig is read whole, and the run makes its own probes", async () => {
  const kubeconfig =
    "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}, {name: b, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: 'https://192.0.2.1'}}]\nusers: [{name: u, user: {token: t}}]\n";
  writeFileSync(join(folder, "config"), kubeconfig);
  runOnce.mockResolvedValue({ code: 0, report });
  const words = [
    "--kubeconfig",
    join(folder, "config"),
    "--context",
    "b",
    "--image",
    "mirror/agnhost:1",
    "--dns-domain",
    "corp.internal",
  ];
  expect(await verifyCommand(words)).toBe(0);
  const given = JSON.parse(runOnce.mock.calls[0]?.[0] ?? "") as Record<string, unknown>;
  expect(given).toMatchObject({ makesProbes: true, image: "mirror/agnhost:1", dnsDomain: "corp.internal" });
  expect(JSON.parse(String(given["kubeconfig"]))).toMatchObject({
    "current-context": "b",
    users: [{ name: "u", user: { token: "t" } }],
  });
});

test("a stack that cannot be read says what pulumi said and what to do", async () => {
  pulumi("echo 'error: no stack selected' >&2; exit 255");
  expect(await verifyCommand([])).toBe(2);
  expect(said).toBe(
    `connectivity check could not run: the stack's output "verify" cannot be read by pulumi: error: no stack selected; run it where the stack is selected, name it by --stack, or give the output's text by --input\n`,
  );
});

test("a watcher runs it again and again, tells since when it is so, and ends with the last exit code", async () => {
  writeFileSync(join(folder, "input"), "{}");
  const codes: Ran["code"][] = [0, 1];
  runOnce.mockImplementation((_, __, telling) => {
    const code = codes.shift() ?? 1;
    telling?.result(`table ${String(code)}\n`);
    if (codes.length === 0) {
      process.emit("SIGTERM");
    }
    return Promise.resolve({ code, report });
  });
  expect(await verifyCommand(["--input", join(folder, "input"), "--watch", "1"])).toBe(1);
  expect(said.replaceAll(/\d\d:\d\d:\d\d/g, "T")).toBe(
    "table 0\nrun 1 at T UTC: proven since T; the next one in 1 s\ntable 1\nrun 2 at T UTC: broken since T; the next one in 1 s\n",
  );
  expect(printed).toEqual([]);
});
