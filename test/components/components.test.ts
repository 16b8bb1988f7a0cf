import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { BridgeNetwork, Cluster, ConnectivityCheck, SelectedService, SshHost } from "../../components";

interface Made {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
}

let made: Made[] = [];
const controlPlane = JSON.stringify({
  kubeconfig: Buffer.from("clusters:\n- cluster:\n    server: https://10.0.0.1:6443\n").toString("base64"),
  caCertHash: `sha256:${"a".repeat(64)}`,
});

beforeAll(async () => {
  await pulumi.runtime.setMocks({
    newResource: ({ type, name, inputs }) => {
      made.push({ type, name, inputs: inputs as Record<string, unknown> });
      const stdout = name.endsWith("-init")
        ? controlPlane
        : name.endsWith("-token")
          ? "abcdef.0123456789abcdef\n"
          : name.endsWith("-switch")
            ? '{"network":"bridge","generation":"1"}'
            : name.startsWith("network-")
              ? '{"mtu":1500,"link":"eth0"}'
              : name.endsWith("-endpoints")
                ? '{"endpoints":["web-1"]}'
                : '{"passed":true,"claims":{}}';
      return { id: `${name}-id`, state: { ...(inputs as object), stdout } };
    },
    call: () => ({}),
  });
});

beforeEach(() => {
  made = [];
});

// What one test began must not end in the next.
afterEach(() => settle());

const privateKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA==\n-----END OPENSSH PRIVATE KEY-----\n";
const host = (name: string, slot: number, role: string) =>
  new SshHost(name, {
    slot,
    role,
    connection: { host: `192.0.2.${String(10 + slot)}`, privateKey, hostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA" },
  });

function cluster(workers: number, more: object = {}): Cluster {
  const nodes = Object.fromEntries([
    ["cp", host("cp", 0, "control-plane")],
    ...Array.from({ length: workers }, (_, i) => [`w${String(i + 1)}`, host(`w${String(i + 1)}`, i + 1, "worker")]),
  ]) as Record<string, SshHost>;
  return new Cluster("demo", { nodes, podCidr: "10.244.0.0/16", serviceCidr: "10.96.0.0/16", ...more });
}

/** Lets everything that is asynchronous in a program come about. */
function settle(): Promise<void> {
  return new Promise((done) => setTimeout(done, 300));
}

describe("a whole program", () => {
  test("makes one command per node and phase, named by node", async () => {
    const demo = cluster(2);
    const network = new BridgeNetwork("network", { cluster: demo });
    const web = new SelectedService("web", { cluster: demo, selector: { app: "web" }, image: "nginx:1.29", port: 80 });
    new ConnectivityCheck("check", { cluster: demo, network, services: [web] });
    await settle();
    const commands = made.filter(({ type }) => type === "command:remote:Command").map(({ name }) => name);
    expect(commands.sort()).toEqual([
      "demo-cp-init",
      "demo-cp-runtime-claim",
      "demo-cp-runtime-install",
      "demo-members",
      "demo-w1-join",
      "demo-w1-register",
      "demo-w1-runtime-claim",
      "demo-w1-runtime-install",
      "demo-w1-token",
      "demo-w2-join",
      "demo-w2-register",
      "demo-w2-runtime-claim",
      "demo-w2-runtime-install",
      "demo-w2-token",
      "network-cp",
      "network-ready",
      "network-switch",
      "network-w1",
      "network-w2",
    ]);
  });

  test("grows linearly with the nodes", async () => {
    const count = async (workers: number): Promise<number> => {
      made = [];
      const demo = cluster(workers);
      const network = new BridgeNetwork("network", { cluster: demo });
      new ConnectivityCheck("check", { cluster: demo, network });
      await settle();
      return made.length;
    };
    const [one, two, twelve] = [await count(1), await count(2), await count(12)];
    expect(twelve - two).toBe(10 * (two - one));
  });

  test("gives a node's peers one file of routes", async () => {
    const demo = cluster(2);
    new BridgeNetwork("network", { cluster: demo, mtu: 1400 });
    await settle();
    const stdin = String(made.find(({ name }) => name === "network-w1")?.inputs["stdin"]);
    expect(stdin).toContain("\n10.244.0.0/24 192.0.2.10\n10.244.2.0/24 192.0.2.12\nEND_");
    expect(stdin).toContain("elements = { 10.244.0.0/16, 192.0.2.11, 192.0.2.10, 192.0.2.12 }");
  });

  test("puts no token and no key into a command line", async () => {
    cluster(1);
    await settle();
    for (const { inputs } of made.filter(({ type }) => type === "command:remote:Command")) {
      for (const line of [inputs["create"], inputs["delete"]]) {
        expect(String(line)).not.toMatch(/abcdef\.0123456789abcdef|PRIVATE KEY/);
      }
    }
  });
});

describe("arguments", () => {
  test("are refused before anything is made, all at once", async () => {
    expect(() => cluster(1, { podCidr: "10.244.0.0/33", nodePrefix: 99 })).toThrow(
      /^invalid Cluster args:\n {2}podCidr: .*\n {2}nodePrefix: must be a whole number between 16 and 30, got 99$/,
    );
    await settle();
    expect(made.filter(({ type }) => !type.startsWith("podnet:"))).toEqual([]);
  });

  test("name what is wrong with an MTU", () => {
    const demo = cluster(1);
    expect(() => new BridgeNetwork("network", { cluster: demo, mtu: 90000 })).toThrow(
      "invalid BridgeNetwork args: mtu: must be a whole number between 576 and 9216, got 90000",
    );
  });

  test("of two services must not select the same pods", () => {
    const demo = cluster(1);
    new SelectedService("web", { cluster: demo, selector: { app: "web" }, image: "nginx:1.29", port: 80 });
    expect(
      () => new SelectedService("shop", { cluster: demo, selector: { app: "web" }, image: "nginx:1.29", port: 80 }),
    ).toThrow('selector: {"app":"web"} matches the pods of service "web"; add a label that only its own pods have');
  });

  test.each([0, 70000])("of a service refuse port %i", (port) => {
    const demo = cluster(1);
    expect(() => new SelectedService("web", { cluster: demo, selector: { app: "web" }, port })).toThrow(
      `must be a whole number between 1 and 65535, got ${String(port)}`,
    );
  });
});
