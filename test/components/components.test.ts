import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { NetworkPolicy } from "@pulumi/kubernetes/networking/v1";
import {
  BridgeNetwork,
  CiliumNetwork,
  Cluster,
  ConnectivityCheck,
  FlannelNetwork,
  KubeRouterNetwork,
  type PodNetwork,
  SelectedService,
  SshHost,
} from "../../components/index";

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
    const web = new SelectedService("web", {
      cluster: demo,
      selector: { app: "web" },
      image: "nginx:1.29",
      ports: [{ port: 80 }],
    });
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

describe("a network", () => {
  const objects = (): string[] =>
    made
      .filter(({ type, name }) => type.startsWith("kubernetes:") && name.startsWith("network-"))
      .map(({ type, inputs }) => {
        const { name, namespace } = inputs["metadata"] as { name: string; namespace?: string };
        return `${type.replace(/^.*:/, "")} ${namespace === undefined ? "" : `${namespace}/`}${name}`;
      })
      .sort();
  const commands = (): string[] =>
    made.filter(({ type, name }) => type.startsWith("command:") && name.startsWith("network-")).map(({ name }) => name);

  test.each<[string, (on: Cluster) => PodNetwork, string[]]>([
    ["bridge", (on) => new BridgeNetwork("network", { cluster: on }), []],
    [
      "flannel",
      (on) => new FlannelNetwork("network", { cluster: on, backend: "vxlan" }),
      [
        "ClusterRole flannel",
        "ClusterRoleBinding flannel",
        "ConfigMap kube-flannel/kube-flannel-cfg",
        "DaemonSet kube-flannel/kube-flannel-ds",
        "Namespace kube-flannel",
        "ServiceAccount kube-flannel/flannel",
      ],
    ],
    [
      "kube-router",
      (on) => new KubeRouterNetwork("network", { cluster: on }),
      [
        "ClusterRole kube-router",
        "ClusterRoleBinding kube-router",
        "ConfigMap kube-system/kube-router-cfg",
        "DaemonSet kube-system/kube-router",
        "ServiceAccount kube-system/kube-router",
      ],
    ],
    [
      "cilium",
      (on) => new CiliumNetwork("network", { cluster: on, kubeProxyReplacement: true }),
      [
        "ClusterRole cilium",
        "ClusterRole cilium-operator",
        "ClusterRoleBinding cilium",
        "ClusterRoleBinding cilium-operator",
        "ConfigMap kube-system/cilium-config",
        "DaemonSet kube-system/cilium",
        "Deployment kube-system/cilium-operator",
        "Role kube-system/cilium-config-agent",
        "RoleBinding kube-system/cilium-config-agent",
        "ServiceAccount kube-system/cilium",
        "ServiceAccount kube-system/cilium-operator",
      ],
    ],
  ])("%s makes the same commands and its own objects, and is proven by the same check", async (_, make, expected) => {
    const demo = cluster(1);
    const network = make(demo);
    new ConnectivityCheck("check", { cluster: demo, network });
    await settle();
    expect(objects()).toEqual(expected);
    const images = expected.length > 0;
    expect(commands().sort()).toEqual(
      [
        ...["network-cp", "network-preflight", "network-ready", "network-switch", "network-w1"],
        ...(images ? ["network-cp-images", "network-w1-images"] : []),
      ].sort(),
    );
    const mtus = await new Promise((done) => network.mtus.apply(done));
    expect(mtus).toEqual({ cp: 1500, w1: 1500 });
  });

  test("that the cluster is told of is looked for on every machine before one is claimed", async () => {
    cluster(1, { network: "cilium-native" });
    await settle();
    const names = made.map(({ name }) => name);
    expect(names.indexOf("demo-preflight")).toBeGreaterThanOrEqual(0);
    expect(names.indexOf("demo-preflight")).toBeLessThan(names.indexOf("demo-cp-runtime-claim"));
    const secret = made.find(({ name }) => name === "demo-preflight")?.inputs["stdin"] as { value: string };
    const stdin = JSON.parse(secret.value) as {
      network: string;
      features: string[];
      nodes: Record<string, { host: string }>;
    };
    expect(stdin.network).toBe("cilium-native");
    expect(stdin.features).toContain("cgroup-bpf");
    expect(Object.entries(stdin.nodes).map(([name, { host: at }]) => [name, at])).toEqual([
      ["cp", "192.0.2.10"],
      ["w1", "192.0.2.11"],
    ]);
  });

  test.each([
    ["bridge", (on: Cluster) => new BridgeNetwork("network", { cluster: on }), 1],
    ["kube-router", (on: Cluster) => new KubeRouterNetwork("network", { cluster: on }), 0],
  ] as const)("warns of a NetworkPolicy that it does not enforce: %s", async (_, make, times) => {
    const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue(undefined);
    try {
      await pulumi.runtime.runInPulumiStack(async () => {
        const demo = cluster(0);
        make(demo);
        new NetworkPolicy("deny", { spec: { podSelector: {} } }, { provider: demo.provider });
        await settle();
      });
      const texts = warn.mock.calls.map(([text]) => text).filter((text) => text.startsWith("NetworkPolicy"));
      expect(texts).toEqual(
        Array.from(
          { length: times },
          () =>
            'NetworkPolicy "deny" has no effect: nothing enforces NetworkPolicy on this network: choose kube-router or cilium (podnet:network), or take the policy away',
        ),
      );
    } finally {
      warn.mockRestore();
    }
  });

  test.each([
    [
      "flannel",
      (on: Cluster) => new FlannelNetwork("network", { cluster: on, backend: "ipsec" }),
      'invalid FlannelNetwork args: backend: must be "host-gw" or "vxlan", got "ipsec"',
    ],
    [
      "cilium",
      (on: Cluster) => new CiliumNetwork("network", { cluster: on, routingMode: "bgp", mtu: 1 }),
      'invalid CiliumNetwork args:\n  routingMode: must be "native" or "tunnel", got "bgp"\n  mtu: must be a whole number between 576 and 9216, got 1',
    ],
  ] as const)("refuses wrong arguments: %s", (_, make, message) => {
    expect(() => make(cluster(0))).toThrow(message);
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
    new SelectedService("web", { cluster: demo, selector: { app: "web" }, image: "nginx:1.29", ports: [{ port: 80 }] });
    expect(
      () =>
        new SelectedService("shop", {
          cluster: demo,
          selector: { app: "web" },
          image: "nginx:1.29",
          ports: [{ port: 80 }],
        }),
    ).toThrow('selector: {"app":"web"} matches the pods of service "web"; add a label that only its own pods have');
  });

  test.each([0, 70000])("of a service refuse port %i", (port) => {
    const demo = cluster(1);
    expect(() => new SelectedService("web", { cluster: demo, selector: { app: "web" }, ports: [{ port }] })).toThrow(
      `must be a whole number between 1 and 65535, got ${String(port)}`,
    );
  });
});
