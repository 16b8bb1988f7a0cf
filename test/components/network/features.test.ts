import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { featureProblem, featuresScript } from "../../../components/network/features";

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

function look(script: string): string[] {
  const out = execFileSync("bash", ["--norc", "-euo", "pipefail", "-s"], {
    input: script,
    encoding: "utf8",
    env: { PATH: `${bin}:${process.env["PATH"] ?? ""}` },
  });
  return out.split("\n").filter((line) => line !== "");
}

test("an old kernel without BPF says each thing that it lacks", () => {
  stub("uname", "echo 5.4.0-test");
  stub("zcat", "printf '# CONFIG_BPF_SYSCALL is not set\\nCONFIG_BPF_JIT=y\\nCONFIG_CGROUP_BPF=m\\n'");
  expect(look(featuresScript(["kernel-5.10", "bpf", "bpf-jit", "cgroup-bpf"], ["podnet-no-such-program"]))).toEqual([
    "kernel 5.4.0-test lacks Linux 5.10",
    "kernel 5.4.0-test lacks the bpf system call (CONFIG_BPF_SYSCALL)",
    "the program podnet-no-such-program is not installed; on Debian and Ubuntu: apt-get install podnet-no-such-program",
  ]);
});

test("a kernel that has everything says nothing", () => {
  stub("uname", "echo 6.1.0-test");
  stub("zcat", "printf 'CONFIG_BPF_SYSCALL=y\\n'");
  expect(look(featuresScript(["kernel-5.10", "bpf"], ["sh"]))).toEqual([]);
});

test("a module that can be loaded is there, and is not loaded for the look", () => {
  stub("uname", "echo 6.1.0-test");
  stub("zcat", "printf '# CONFIG_PODNET is not set\\n'");
  stub("modprobe", `echo "$*" >>${bin}/calls; [ "$2" = ip_vs ]`);
  expect(look(featuresScript(["ipvs"], []))).toEqual([]);
});

test("a kernel that tells nothing of itself is not refused", () => {
  stub("uname", "echo 6.1.0-podnet-test");
  stub("zcat", "exit 1");
  stub("modprobe", "exit 1");
  expect(look(featuresScript(["vxlan", "bpf", "cls-bpf"], []))).toEqual([]);
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
