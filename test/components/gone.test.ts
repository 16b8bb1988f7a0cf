import * as pulumi from "@pulumi/pulumi";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { BridgeNetwork, Cluster, SshHost } from "../../components/index";
import { preflightInput } from "../../components/network/preflight";
import { keyPair } from "../packages/pulumi-command/sshd";
import { type Made, plain, settle, useMocks } from "./mocks";

let made: Made[] = [];
beforeAll(() => useMocks((one) => made.push(one)));
beforeEach(() => {
  made = [];
});

const key = keyPair();

/** Makes a cluster whose worker w2 is gone, or not, and returns the options of its resources by their names. */
async function program(gone: boolean): Promise<Record<string, pulumi.CustomResourceOptions>> {
  const options: Record<string, pulumi.CustomResourceOptions> = {};
  await pulumi.runtime.runInPulumiStack(async () => {
    pulumi.runtime.registerStackTransformation(({ name, opts }) => {
      options[name] = opts;
      return undefined;
    });
    const host = (name: string, slot: number, more: object = {}): SshHost =>
      new SshHost(name, {
        slot,
        role: slot === 0 ? "control-plane" : "worker",
        connection: {
          host: `192.0.2.${String(10 + slot)}`,
          privateKey: key.private,
          hostKey: key.public,
        },
        ...more,
      });
    const nodes = { cp: host("cp", 0), w1: host("w1", 1), w2: host("w2", 2, { gone }) };
    const cluster = new Cluster("demo", { nodes, podCidr: "10.244.0.0/16", serviceCidr: "10.96.0.0/16" });
    expect(Object.keys(cluster.nodes)).toEqual(gone ? ["cp", "w1"] : ["cp", "w1", "w2"]);
    new BridgeNetwork("network", { cluster });
    await settle(() => made.length);
  });
  return options;
}

const ON_W2 = ["demo-w2-program", "demo-w2-take", "demo-w2-install", "demo-w2-join", "network-on-w2"];
const stdin = (name: string): string => plain(made.find((one) => one.name === name)?.inputs["stdin"]);

test("a machine that is gone for good is no member and no peer, and its resources are asked nothing any more", async () => {
  const options = await program(true);
  for (const name of ON_W2) {
    expect(options[name]?.retainOnDelete).toBe(true);
    expect(options[name]?.ignoreChanges).toEqual(
      expect.arrayContaining(["connection", "create", "update", "delete", "stdin", "triggers"]),
    );
  }
  for (const name of ["demo-members", "demo-register", "network-enable", "network-on-w1", "network-on-cp"]) {
    expect(stdin(name)).not.toMatch(/w2|192\.0\.2\.12|10\.244\.2\.0/);
  }
  // What such a machine never had is made on the control plane, where it does nothing.
  const inputs = ON_W2.map((name) => made.find((one) => one.name === name)?.inputs ?? {});
  expect(inputs.map(({ connection }) => (connection as { value: { host: string } }).value.host)).toEqual(
    ON_W2.map(() => "192.0.2.10"),
  );
  expect(inputs.slice(1).flatMap(({ create, update, delete: remove }) => [create, update, remove])).toEqual(
    ON_W2.slice(1).flatMap(() => ["cksum", "cksum", "cksum"]),
  );
  const preflight = preflightInput.parse(JSON.parse(stdin("network-preflight")));
  expect([Object.keys(preflight.nodes), Object.keys(preflight.declared), preflight.gone]).toEqual([
    ["cp", "w1"],
    ["cp", "w1"],
    ["w2"],
  ]);
});

test("a machine that is there is undone when its node is taken out", async () => {
  const options = await program(false);
  for (const name of ON_W2) {
    expect([options[name]?.retainOnDelete, options[name]?.ignoreChanges]).toEqual([undefined, undefined]);
  }
  expect(stdin("demo-members")).toMatch(/^member: w2 10\.244\.2\.0\/24\naddress: /m);
  expect(stdin("network-on-w1")).toContain("route: 10.244.2.0/24 via 192.0.2.12");
});
