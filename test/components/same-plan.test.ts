import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { keyPair } from "../packages/pulumi-command/sshd";

interface Plan {
  readonly urns: string[];
  readonly made: { readonly type: string; readonly name: string; readonly inputs: unknown }[];
}

const project = join(__dirname, "..", "..");
let elsewhere = "";

// A second checkout in another folder, as far as a plan needs it.
beforeAll(() => {
  elsewhere = join(mkdtempSync(join(tmpdir(), "podnet-elsewhere-")), "another", "folder");
  mkdirSync(elsewhere, { recursive: true });
  for (const part of ["dist", "package.json", "Pulumi.yaml"]) {
    cpSync(join(project, part), join(elsewhere, part), { recursive: true });
  }
  symlinkSync(join(project, "node_modules"), join(elsewhere, "node_modules"));
});
afterAll(() => rmSync(join(elsewhere, "..", ".."), { recursive: true, force: true }));

const keys = keyPair();
const host = (slot: number, role: string) => ({
  slot,
  role,
  host: `192.0.2.${String(10 + slot)}`,
  hostKey: keys.public,
});

function plan(cwd: string, network: string, user: string, hostname: string): Plan {
  const config = {
    "podnet:network": network,
    "podnet:sshPrivateKey": keys.private,
    "podnet:hosts": JSON.stringify({ cp: host(0, "control-plane"), w1: host(1, "worker") }),
  };
  const fixture = join(__dirname, "elsewhere.fixture.mjs");
  const out = execFileSync(
    "unshare",
    [
      "-u",
      "sh",
      "-c",
      'hostname "$1" && shift && exec "$@"',
      "sh",
      hostname,
      process.execPath,
      fixture,
      JSON.stringify(config),
    ],
    {
      cwd,
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
      env: { PATH: process.env["PATH"], HOME: `/home/${user}`, USER: user, LOGNAME: user, TMPDIR: tmpdir() },
    },
  );
  return JSON.parse(out.trim().split("\n").at(-1) ?? "") as Plan;
}

test.each(["bridge", "cilium"])(
  "the same %s stack planned from another folder, by another user on another host, has the same resources and inputs",
  (network) => {
    const here = plan(project, network, "alice", "laptop");
    const there = plan(elsewhere, network, "runner", "ci-7");
    expect(here.made.length).toBeGreaterThan(20);
    expect(there.urns).toEqual(here.urns);
    expect(there.made).toEqual(here.made);
    const text = JSON.stringify(there) + JSON.stringify(here);
    for (const trace of [project, elsewhere, "alice", "runner", "laptop", "ci-7", process.execPath]) {
      expect(text).not.toContain(trace);
    }
  },
  60_000,
);
