import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type FeatureId, featureProblem, preflightQuestions } from "../../../components/network/features";
import { answerLines } from "../../../components/node/parameters";
import { preflightText as wholePreflight } from "../../../components/node/preflight";

const PROGRAM = join(__dirname, "..", "..", "..", "components", "node", "program");
const NONCE = "0123456789abcdef";
let bin = "";

beforeEach(() => {
  bin = mkdtempSync(join(tmpdir(), "podnet-features-"));
});
afterEach(() => rmSync(bin, { recursive: true, force: true }));

/** Puts a program in the place of the machine's. */
function stub(name: string, body: string): void {
  writeFileSync(join(bin, name), `#!/bin/bash\n${body}\n`);
  chmodSync(join(bin, name), 0o755);
}

/** The program's preflight, with the test's programs first on the PATH that it sets itself. */
function preflightText(): string {
  const text = wholePreflight(PROGRAM);
  const stubbed = text.replace("export PATH=", `export PATH=${bin}:`);
  expect(stubbed).not.toBe(text);
  return stubbed;
}

function answer(features: readonly FeatureId[], programs: readonly string[]): string {
  const input = preflightText() + preflightQuestions(NONCE, features, programs);
  return execFileSync("bash", ["--norc", "-p", "-s"], { input, encoding: "utf8", env: { PATH: "/usr/bin:/bin" } });
}

function look(features: readonly FeatureId[], programs: readonly string[]): string[] {
  return answerLines("w1", "preflight", NONCE, answer(features, programs));
}

test("an old kernel without BPF says each thing that it lacks", () => {
  stub("uname", "echo 5.4.0-test");
  stub("zcat", "printf '# CONFIG_BPF_SYSCALL is not set\\nCONFIG_BPF_JIT=y\\nCONFIG_CGROUP_BPF=m\\n'");
  expect(look(["kernel-5.10", "bpf", "bpf-jit", "cgroup-bpf"], ["podnet-no-such-program"])).toEqual([
    "kernel 5.4.0-test lacks Linux 5.10",
    "kernel 5.4.0-test lacks the bpf system call (CONFIG_BPF_SYSCALL)",
    "the program podnet-no-such-program is not installed; on Debian and Ubuntu: apt-get install podnet-no-such-program",
  ]);
});

test("a kernel that has everything says nothing", () => {
  stub("uname", "echo 6.1.0-test");
  stub("zcat", "printf 'CONFIG_BPF_SYSCALL=y\\n'");
  expect(look(["kernel-5.10", "bpf"], ["sh"])).toEqual([]);
});

test("a module that can be loaded is there, and is not loaded for the look", () => {
  stub("uname", "echo 6.1.0-test");
  stub("zcat", "printf '# CONFIG_PODNET is not set\\n'");
  stub("modprobe", `echo "$*" >>${bin}/calls; [ "$2" = ip_vs ]`);
  expect(look(["ipvs"], [])).toEqual([]);
  expect(readFileSync(join(bin, "calls"), "utf8")).toBe("-nv ip_vs\n-nq ip_vs\n");
});

test("a module that modprobe.d bars is not there, though a dry run ends well", () => {
  stub("uname", "echo 6.1.0-test");
  stub("zcat", "printf 'CONFIG_IP_VS=m\\n'");
  stub("modprobe", `[ "$1" != -nv ] || echo "install /bin/false "`);
  expect(look(["ipvs"], [])).toEqual([
    "modprobe.d bars IP Virtual Server (IPVS) (module ip_vs, CONFIG_IP_VS); take its line out (grep -rw ip_vs /etc/modprobe.d /run/modprobe.d /usr/lib/modprobe.d)",
  ]);
});

test("a kernel that tells nothing of itself is not refused", () => {
  stub("uname", "echo 6.1.0-podnet-test");
  stub("zcat", "exit 1");
  stub("modprobe", "exit 1");
  expect(look(["vxlan", "bpf", "cls-bpf"], [])).toEqual([]);
});

test("questions that do not arrive whole get no answer", () => {
  stub("uname", "echo 6.1.0-test");
  stub("zcat", "exit 1");
  const questions = preflightQuestions(NONCE, ["kernel-5.10"], ["sh"]).replace(/end\n$/, "");
  const input = preflightText() + questions;
  const out = execFileSync("bash", ["--norc", "-p", "-s"], { input, encoding: "utf8" });
  expect(() => answerLines("w1", "preflight", NONCE, out)).toThrow('node "w1": the phase preflight gave no answer');
});

test("the error names every machine once for each thing", () => {
  const ipvs = "kernel 6.1 lacks IP Virtual Server (IPVS) (module ip_vs, CONFIG_IP_VS)";
  const dummy = "kernel 6.1 lacks dummy links (module dummy, CONFIG_DUMMY)";
  expect(featureProblem("kube-router-ipvs", { cp: [], w1: [ipvs], w2: [ipvs, dummy] })).toBe(
    `the network kube-router-ipvs cannot run on these machines, which were left as they are:
  w1, w2: ${ipvs}
  w2: ${dummy}
choose another network or kernel`,
  );
  expect(featureProblem("bridge", { cp: [], w1: [] })).toBeUndefined();
});
