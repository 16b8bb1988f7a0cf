import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkInputs } from "../../packages/pulumi-command/src/check";
import { type ResourceType, resourceTypes } from "../../packages/pulumi-command/src/types";
import { isUnknown, signatureKey, type ValueMap } from "../../packages/pulumi-command/src/value";
import { keyPair } from "../packages/pulumi-command/sshd";
import { projectWith, SDKS } from "./sdkProject";

const project = join(__dirname, "..", "..");
const manifest = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as {
  dependencies: Record<string, string>;
};

interface Sent {
  readonly type: string;
  readonly name: string;
  readonly inputs: ValueMap;
}

const keys = keyPair();
const host = (slot: number, role: string) => ({
  slot,
  role,
  host: `192.0.2.${String(10 + slot)}`,
  hostKey: keys.public,
});
const CONFIGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "a lab": {},
  machines: {
    "podnet:network": "cilium",
    "podnet:sshPrivateKey": keys.private,
    "podnet:hosts": JSON.stringify({ cp: host(0, "control-plane"), w1: host(1, "worker") }),
  },
};

/** What the SDK of a project sends when the ready program is previewed on an empty stack. */
function sentBy(folder: string, config: object): { readonly version: string; readonly made: Sent[] } {
  const out = execFileSync(process.execPath, [join(__dirname, "sdk.fixture.mjs"), JSON.stringify(config)], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    // The other packages find the SDK under test from where they are linked to.
    env: { ...process.env, NODE_OPTIONS: "--preserve-symlinks" },
  });
  return JSON.parse(out.trim().split("\n").at(-1) ?? "") as { version: string; made: Sent[] };
}

describe.each(SDKS)("with the %s SDK that package.json allows", (which, sdk) => {
  let folder = "";
  beforeAll(() => {
    folder = projectWith(sdk);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(Object.entries(CONFIGS))("a preview of %s holds nothing that the command plugin refuses", (_, config) => {
    const { version, made } = sentBy(folder, config);
    const allowed = /^>=(\S+) <=(\S+)$/.exec(manifest.dependencies["@pulumi/pulumi"] ?? "");
    expect(version).toBe(allowed?.[which === "oldest" ? 1 : 2]);
    const commands = made.filter(({ type }) => type in resourceTypes);
    expect(commands.length).toBeGreaterThan(15);
    for (const { type, name, inputs } of commands) {
      const { inputs: checked, failures } = checkInputs(resourceTypes[type as ResourceType], inputs);
      expect({ name, failures }).toEqual({ name, failures: [] });
      const text = JSON.stringify(checked["triggers"] ?? []);
      // A secret of any kind among triggers, with a value or without.
      expect({ name, secret: text.includes(signatureKey) }).toEqual({ name, secret: false });
    }
    // Nothing that is made is known: what has to be is the plain words that start the program.
    const starts = commands.filter(({ inputs }) => isUnknown(inputs["create"]));
    expect(starts.map(({ name }) => name)).toEqual([]);
  });
});
