import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backendUrl } from "../../toolchain/make/env";
import { keyPair } from "../packages/pulumi-command/sshd";
import { projectWith, SDKS } from "./sdkProject";

const keys = keyPair();
const host = (slot: number, role: string) => ({
  ...{ slot, role, hostKey: keys.public },
  host: `192.0.2.${String(10 + slot)}`,
});

/** Plans with Pulumi's own engine, which `make test` and `. <(make -s env)` put on the PATH with its plugins. */
describe.each(SDKS)("Pulumi's engine, with the %s SDK", (_, sdk) => {
  let [folder, state] = ["", ""];
  beforeAll(() => {
    folder = projectWith(sdk);
    state = mkdtempSync(join(tmpdir(), "podnet-engine-"));
    mkdirSync(join(state, "backend"));
  });
  afterAll(() => [folder, state].forEach((each) => rmSync(each, { recursive: true, force: true })));

  /** What a command of Pulumi's printed, and how it ended; `undefined` where it did not end in time. */
  function pulumi(...words: string[]): { readonly code: number | null; readonly said: string } {
    const env = {
      ...process.env,
      PULUMI_BACKEND_URL: backendUrl(join(state, "backend")),
      PULUMI_CONFIG_PASSPHRASE: "test",
      PULUMI_CONFIG_PASSPHRASE_FILE: "",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      NODE_OPTIONS: "--preserve-symlinks",
      TMPDIR: state,
    };
    const { error, status, stdout, stderr } = spawnSync("pulumi", [...words, "--non-interactive", "--color", "never"], {
      ...{ cwd: folder, env, encoding: "utf8", timeout: 90_000 },
    });
    if (error !== undefined && (error as NodeJS.ErrnoException).code === "ENOENT") {
      throw new Error("pulumi is not on the PATH: run this by `make test`, or after `. <(make -s env)`", {
        cause: error,
      });
    }
    return { code: status, said: `${stdout}${stderr}` };
  }

  /** A stack of its own, with this config. */
  function stack(name: string, config: Readonly<Record<string, string>>): void {
    expect(pulumi("stack", "init", name)).toMatchObject({ code: 0 });
    const lines = Object.entries(config).map(([key, value]) => `  podnet:${key}: ${JSON.stringify(value)}\n`);
    writeFileSync(join(folder, `Pulumi.${name}.yaml`), `config:\n${lines.join("")}`, { flag: "a" });
  }

  test("keeps no file of attributes beside a state, which a kill could leave empty and the state unreadable", () => {
    stack("kept", {});
    const kept = readdirSync(join(state, "backend", ".pulumi", "stacks", "podnet"));
    expect(kept).toContain("kept.json");
    expect(kept.filter((file) => file.endsWith(".attrs"))).toEqual([]);
  });

  test("plans machines on an empty stack, with every secret unknown", () => {
    stack("machines", {
      network: "cilium",
      sshPrivateKey: keys.private,
      hosts: JSON.stringify({ cp: host(0, "control-plane"), w1: host(1, "worker") }),
    });
    const { code, said } = pulumi("preview", "--stack", "machines");
    expect(said).not.toMatch(/error|malformed/i);
    expect(said).toMatch(/\n {4}\+ [0-9]+ to create\n/);
    expect(code).toBe(0);
  }, 120_000);

  test("says at the preview what is wrong with a key that only an Output tells, for all nodes, and ends", () => {
    writeFileSync(
      join(folder, "Pulumi.yaml"),
      "name: podnet\nmain: own.mjs\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n",
    );
    copyFileSync(join(__dirname, "wrongKey.fixture.mjs"), join(folder, "own.mjs"));
    stack("key", { hostKey: keys.public });
    const { code, said } = pulumi("preview", "--stack", "key");
    const told = [...said.matchAll(/^ {4}error: (invalid connection of .*)$/gm)].map((match) => match[1]);
    expect(told.sort()).toEqual(
      ["cp", "w1", "w2"].map(
        (name) =>
          `invalid connection of node "${name}": privateKey: is a public key; give the private one, the file without .pub`,
      ),
    );
    expect(code).not.toBe(0);
    expect(code).not.toBeNull();
  }, 120_000);

  test("ends an update of a lab's key alone, on an empty stack", () => {
    writeFileSync(
      join(folder, "Pulumi.yaml"),
      "name: podnet\nmain: dist/src/main.js\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n",
    );
    stack("target", {});
    const targets = ["**lab-keys", "**Lab::lab", "**Stack**"].flatMap((target) => ["--target", target]);
    const { code, said } = pulumi("up", "--yes", "--skip-preview", "--stack", "target", ...targets);
    expect(said).toMatch(/lab-keys created/);
    // What podnet read of resources that were left away would have thrown in its program.
    expect(said).not.toMatch(/failed with an unhandled exception|undefined/);
    expect(code).not.toBeNull();
    expect(pulumi("destroy", "--yes", "--skip-preview", "--stack", "target")).toMatchObject({ code: 0 });
  }, 120_000);
});
