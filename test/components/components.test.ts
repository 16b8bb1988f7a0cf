import * as pulumi from "@pulumi/pulumi";
import { unknown } from "@pulumi/pulumi/output";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { NetworkPolicy } from "@pulumi/kubernetes/networking/v1";
import {
  BridgeNetwork,
  CiliumNetwork,
  Cluster,
  ConnectivityCheck,
  FlannelNetwork,
  Lab,
  SelectedService,
  SshHost,
} from "../../components/index";
import { shortHash } from "../../components/args/hash";
import { preflightInput } from "../../components/network/preflight";
import { NETWORK_KINDS } from "../../components/network/registry";
import { phaseHash } from "../../components/node/programFiles";
import { keyPair } from "../packages/pulumi-command/sshd";
import { cluster, type Made, MOCK_TOKEN, plain, settle as settled, stateOf, useMocks } from "./mocks";

const keys = keyPair();
let made: Made[] = [];
const settle = (): Promise<void> => settled(() => made.length);

beforeAll(() => useMocks((one) => made.push(one)));
beforeEach(() => {
  made = [];
});
// What one test began must not end in the next.
afterEach(() => settle());

/** The value of an input, once it is known. */
const valueOf = (input: pulumi.Input<unknown>): Promise<unknown> =>
  new Promise((known) => (pulumi.output(input) as pulumi.Output<unknown>).apply(known));

/** Parameters of the node program that a resource was given, as lines. */
function parameters(name: string): string[] {
  return plain(made.find((one) => one.name === name)?.inputs["stdin"])
    .split("\n")
    .slice(0, -1);
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
      "demo-configure",
      "demo-cp-init",
      "demo-cp-install",
      "demo-cp-take",
      "demo-members",
      "demo-register",
      "demo-w1-install",
      "demo-w1-join",
      "demo-w1-take",
      "demo-w2-install",
      "demo-w2-join",
      "demo-w2-take",
      "network-change",
      "network-enable",
      "network-on-cp",
      "network-on-w1",
      "network-on-w2",
    ]);
    const uploads = made.filter(({ type }) => type === "command:remote:CopyToRemote").map(({ name }) => name);
    expect(uploads.sort()).toEqual(["demo-cp-program", "demo-w1-program", "demo-w2-program"]);
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

  test("tells a node its routes and addresses in the field's terms", async () => {
    const demo = cluster(2);
    new BridgeNetwork("network", { cluster: demo, mtu: 1400 });
    await settle();
    expect(parameters("network-on-w1").slice(1)).toEqual([
      "node: w1",
      "owner: 11111111-2222-3333-4444-555555555555",
      "network: bridge",
      "kind: bridge",
      "internal-ip: 192.0.2.11",
      "pod-cidr: 10.244.0.0/16",
      "node-pod-cidr: 10.244.1.0/24",
      "mtu: 1400",
      "overhead: 0",
      "egress: podnet",
      "replaces-kube-proxy: no",
      "route: 10.244.0.0/24 via 192.0.2.10",
      "route: 10.244.2.0/24 via 192.0.2.12",
      `files: ${phaseHash("network", "bridge")}`,
      "end",
    ]);
  });

  test("marks everything with the owner that it is given, and mints none then", async () => {
    const owner = "99999999-2222-3333-4444-555555555555";
    const demo = cluster(1, { owner });
    new BridgeNetwork("network", { cluster: demo });
    await settle();
    expect(made.filter(({ name }) => name === "demo-owner")).toEqual([]);
    const remote = made.filter(({ type }) => type === "command:remote:Command");
    expect(remote.map(({ name }) => parameters(name)[2])).toEqual(remote.map(() => `owner: ${owner}`));
    expect(() => cluster(1, { owner: "somebody" })).toThrow(
      'invalid Cluster args: owner: must be the identity of an owner as a refusal names it, such as 1b4e28ba-2fa1-41d2-883f-0016d3cca427, got "somebody"',
    );
  });

  test("registers and enables every node anew as soon as one of them joined anew", async () => {
    new BridgeNetwork("network", { cluster: cluster(2) });
    await settle();
    const one = (name: string): Made => made.find((other) => other.name === name) as Made;
    const updateAfter = (...names: string[]): string =>
      `--update ${shortHash(names.map((name) => String(stateOf(one(name))["stdout"])).join("\n"))}`;
    const ends = (name: string): string => String(one(name).inputs["update"]).replace(/^.* (?=--update )/, "");
    expect(ends("demo-register")).toBe(updateAfter("demo-w1-join", "demo-w2-join"));
    expect(ends("network-enable")).toBe(updateAfter("demo-register"));
  });

  test("sends plain words and data to a node, and no shell", async () => {
    const demo = cluster(1);
    new BridgeNetwork("network", { cluster: demo });
    await settle();
    const remote = made.filter(({ type }) => type === "command:remote:Command");
    expect(remote.length).toBeGreaterThan(8);
    for (const { inputs } of remote) {
      const [create, update, remove] = [inputs["create"], inputs["update"], inputs["delete"]].map(String);
      expect(create).toMatch(/^bash --norc -p \.podnet\/program\/start [a-z]+$/);
      expect(update).toMatch(
        /^bash --norc -p \.podnet\/program\/start [a-z]+ --update( [0-9]+| [0-9]+-1790000000000| [0-9a-f]{16}| sha256:[0-9a-f]{64})?$/,
      );
      expect(update?.startsWith(`${String(create)} --update`)).toBe(true);
      expect(remove).toBe(`test ! -e .podnet/program/start -a ! -e /var/lib/podnet/owner || ${String(create)} --undo`);
      const lines = plain(inputs["stdin"]).split("\n");
      expect(lines[0]).toMatch(/^nonce: [0-9a-f]{16}$/);
      expect(lines.slice(1, -2).filter((line) => !/^[a-z][a-z0-9-]*: \S.*$/.test(line))).toEqual([]);
      expect(lines.slice(-2)).toEqual(["end", ""]);
    }
  });

  test("applies the network again on a node whose link to the others was made anew", async () => {
    const lab = new Lab("lab", { nodes: { cp: { slot: 0, role: "control-plane" }, w1: { slot: 1 } } });
    const demo = new Cluster("demo", { nodes: lab.nodes, podCidr: "10.244.0.0/16", serviceCidr: "10.96.0.0/16" });
    new BridgeNetwork("network", { cluster: demo });
    await settle();
    for (const name of ["network-on-cp", "network-on-w1"]) {
      const resource = made.find((one) => one.name === name);
      expect(String(resource?.inputs["update"])).toMatch(/ --update [0-9]+-1790000000000-lab-network-id$/);
    }
  });

  test("has one network: a second one is refused before it makes anything", async () => {
    const demo = cluster(1);
    new BridgeNetwork("network", { cluster: demo });
    expect(() => new FlannelNetwork("other", { cluster: demo })).toThrow(
      'cluster: a cluster has one pod network, and this one has "network" already; take "network" or "other" out',
    );
    await settle();
    expect(made.filter(({ name }) => name.startsWith("other-"))).toEqual([]);
  });

  test("gives a machine of one's own its kubelet's settings, and the checks that may fail on it", async () => {
    const connection = { host: "192.0.2.10", privateKey: keys.private, hostKey: keys.public };
    const own = { kubeletConfig: { maxPods: 20 }, ignorePreflightErrors: ["NumCPU"] };
    const cp = new SshHost("cp", { slot: 0, role: "control-plane", connection, ...own });
    new Cluster("demo", { nodes: { cp }, podCidr: "10.244.0.0/16", serviceCidr: "10.96.0.0/16" });
    await settle();
    expect(parameters("demo-cp-init")).toEqual(
      expect.arrayContaining(['kubelet-config: {"maxPods":20}', "ignore-preflight-error: NumCPU"]),
    );
    expect(() => new SshHost("x", { slot: 0, connection, ignorePreflightErrors: ["a b"] })).toThrow(
      "ignorePreflightErrors.0: must be the name of a kubeadm preflight check",
    );
  });

  test("asks kubeadm for a certificate in the machine's name in small letters, the only ones that it takes", async () => {
    const connection = { host: "CP.Example", privateKey: keys.private, hostKey: keys.public };
    const cp = new SshHost("cp", { slot: 0, role: "control-plane", internalIp: "192.0.2.10", connection });
    new Cluster("demo", { nodes: { cp }, podCidr: "10.244.0.0/16", serviceCidr: "10.96.0.0/16" });
    await settle();
    expect(parameters("demo-cp-init")).toContain("cert-san: cp.example");
  });

  test("uploads the program again to a machine that was made anew, and into another user's home", async () => {
    const triggers = new Map<string, pulumi.Input<unknown>>();
    const transformations: pulumi.ResourceTransformation[] = [
      ({ name, opts }) => {
        triggers.set(name, (opts as pulumi.CustomResourceOptions).replacementTrigger);
        return undefined;
      },
    ];
    const range = { podCidr: "10.244.0.0/16", serviceCidr: "10.96.0.0/16" };
    const lab = new Lab("lab", { nodes: { cp: { slot: 0, role: "control-plane" }, w1: { slot: 1 } } });
    new Cluster("demo", { nodes: lab.nodes, ...range }, { transformations });
    const connection = { host: "192.0.2.10", user: "ops", privateKey: keys.private, hostKey: keys.public };
    new Cluster(
      "other",
      { nodes: { cp: new SshHost("cp", { slot: 0, role: "control-plane", connection }) }, ...range },
      { transformations },
    );
    await settle();
    const uploads = ["demo-cp-program", "demo-w1-program", "other-cp-program"].map((name) => triggers.get(name));
    expect(await Promise.all(uploads.map((text) => valueOf(text)))).toEqual([
      "root lab-cp-container-id",
      "root lab-w1-container-id",
      "ops",
    ]);
  });

  test("checks any cluster by its kubeconfig, which is a secret, with nothing on its nodes but pods", async () => {
    const check = new ConnectivityCheck("check", {
      kubeconfig: "some kubeconfig",
      image: "mirror/agnhost:1",
      dnsDomain: "corp.internal",
      timeout: 60,
    });
    await settle();
    expect(
      made
        .map(({ type, name }) => `${type} ${name}`)
        .filter((text) => !text.includes("Service "))
        .sort(),
    ).toEqual([
      "command:local:Command check-run",
      "kubernetes:apps/v1:DaemonSet check-probe-a",
      "kubernetes:apps/v1:DaemonSet check-probe-b",
      "kubernetes:apps/v1:DaemonSet check-probe-host",
      "kubernetes:core/v1:Namespace check-namespace",
      "podnet:index:ConnectivityCheck check",
      "pulumi:providers:kubernetes check-kubernetes",
    ]);
    expect(await pulumi.isSecret(check.verify)).toBe(true);
    expect(JSON.parse(String(await valueOf(check.verify)))).toEqual({
      kubeconfig: "some kubeconfig",
      image: "mirror/agnhost:1",
      dnsDomain: "corp.internal",
      readyTimeout: 60,
    });
    const template = made.find(({ name }) => name === "check-probe-a")?.inputs as {
      spec: { template: { spec: { containers: { image: string }[] } } };
    };
    expect(template.spec.template.spec.containers.map(({ image }) => image)).toEqual(
      Array.from({ length: 2 }, () => "mirror/agnhost:1"),
    );
  });

  test("grows by at most 6 resources for each node more, its machine included", async () => {
    const count = async (workers: number): Promise<number> => {
      made = [];
      new BridgeNetwork("network", { cluster: cluster(workers) });
      await settle();
      return made.length;
    };
    const [two, twelve] = [await count(2), await count(12)];
    expect((twelve - two) / 10).toBeLessThanOrEqual(6);
  });

  test("puts no token and no key into a command line", async () => {
    cluster(1);
    await settle();
    const remote = made.filter(({ type }) => type === "command:remote:Command");
    expect(remote.length).toBeGreaterThan(0);
    for (const { inputs } of remote) {
      for (const line of [inputs["create"], inputs["update"], inputs["delete"]]) {
        expect(String(line)).not.toContain(MOCK_TOKEN);
        expect(String(line)).not.toContain("PRIVATE KEY");
      }
    }
  });

  test("gives the token to a join as a secret, and to nothing else", async () => {
    const demo = cluster(1);
    new BridgeNetwork("network", { cluster: demo });
    await settle();
    const holding = made.filter(({ inputs }) => JSON.stringify(inputs).includes(MOCK_TOKEN));
    expect(holding.map(({ name }) => name)).toEqual(["demo-w1-join"]);
    expect(typeof holding[0]?.inputs["stdin"]).toBe("object");
    expect(parameters("demo-w1-join")).toContain(`token: ${MOCK_TOKEN}`);
  });
});

describe("a network", () => {
  test("is looked for on every machine before one is touched", async () => {
    new CiliumNetwork("network", { cluster: cluster(1) });
    await settle();
    const names = made.map(({ name }) => name);
    expect(names.indexOf("network-preflight")).toBeGreaterThanOrEqual(0);
    for (const first of ["demo-cp-program", "demo-w1-program", "demo-cp-take", "demo-w1-take"]) {
      expect(names.indexOf("network-preflight")).toBeLessThan(names.indexOf(first));
    }
    const secret = made.find(({ name }) => name === "network-preflight")?.inputs["stdin"] as { value: string };
    const stdin = preflightInput.parse(JSON.parse(secret.value));
    expect(stdin.network).toBe("cilium-native");
    expect(stdin.features).toContain("cgroup-bpf");
    expect(Object.entries(stdin.nodes).map(([name, { host: at }]) => [name, at])).toEqual([
      ["cp", "192.0.2.10"],
      ["w1", "192.0.2.11"],
    ]);
  });

  test.each([
    ["bridge", {}, true],
    ["flannel", { backend: "host-gw" }, true],
    ["flannel", { backend: "vxlan" }, false],
    ["kube-router", {}, true],
    ["cilium", { routingMode: "native" }, true],
    ["cilium", { routingMode: "tunnel" }, false],
  ])("%s with %o: the preflight asks whether all nodes are on one link: %s", async (kind, settings, oneLink) => {
    NETWORK_KINDS.find((known) => known.kind === kind)?.make("network", { cluster: cluster(1), ...settings });
    await settle();
    const secret = made.find(({ name }) => name === "network-preflight")?.inputs["stdin"] as { value: string };
    expect(preflightInput.parse(JSON.parse(secret.value)).oneLink).toBe(oneLink);
  });

  test.each([
    [{ mtu: 1400 }, ["1400", "50"]],
    [{}, [undefined, undefined]],
  ])("with %o: the preflight asks each machine's link for it", async (settings, expected) => {
    new FlannelNetwork("network", { cluster: cluster(1), backend: "vxlan", ...settings });
    await settle();
    const secret = made.find(({ name }) => name === "network-preflight")?.inputs["stdin"] as { value: string };
    const { declared } = preflightInput.parse(JSON.parse(secret.value));
    expect(Object.values(declared).map(({ mtu, overhead }) => [mtu, overhead])).toEqual([expected, expected]);
  });

  test.each(NETWORK_KINDS)("warns of a NetworkPolicy that it does not enforce: $kind", async ({ kind, make }) => {
    const times = ["bridge", "flannel"].includes(kind) ? 1 : 0;
    const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue(undefined);
    try {
      await pulumi.runtime.runInPulumiStack(async () => {
        const demo = cluster(0);
        make("network", { cluster: demo });
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
      (on: Cluster) => new FlannelNetwork("network", { cluster: on, backend: "ipsec" as "vxlan" }),
      'invalid FlannelNetwork args: backend: must be "host-gw" or "vxlan", got "ipsec"',
    ],
    [
      "cilium",
      (on: Cluster) => new CiliumNetwork("network", { cluster: on, routingMode: "bgp" as "native", mtu: 1 }),
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

  const machine = (slot: number, role: "control-plane" | "worker", more: object = {}) => ({
    ...{ slot, role, internalIp: pulumi.output(unknown) as unknown as pulumi.Output<string> },
    ...{ connection: { host: "cp.example", privateKey: keys.private, hostKey: keys.public }, ...more },
  });

  test("of a cluster are judged at once by all that is plain, while addresses are not known yet", () => {
    const range = { podCidr: "10.96.0.0/16", serviceCidr: "10.96.0.0/12" };
    const nodes = {
      cp: machine(0, "control-plane"),
      w1: machine(0, "worker"),
      w2: machine(1, "control-plane"),
      W3: machine(0, "control-plane"),
    };
    expect(() => new Cluster("demo", { nodes, ...range, clusterName: "Demo" })).toThrow(
      [
        "invalid Cluster args:",
        '  clusterName: must be a DNS label (a-z, 0-9 and -, at most 63 characters, starting and ending with a letter or digit), got "Demo"',
        '  nodes.W3: must be a DNS label (a-z, 0-9 and -, at most 63 characters, starting and ending with a letter or digit), got "W3"',
        "  serviceCidr: 10.96.0.0/12 overlaps the pod CIDR 10.96.0.0/16; choose one outside it",
        '  nodes.w1.slot: slot 0 is taken by node "cp"; every node needs its own',
        '  nodes: "cp" and "w2" have the role "control-plane"; more than one is not supported yet',
      ].join("\n"),
    );
  });

  test("of a cluster need a control plane, and one that is gone is none", () => {
    const range = { podCidr: "10.244.0.0/16", serviceCidr: "10.96.0.0/16" };
    const connection = { host: "192.0.2.10", privateKey: keys.private, hostKey: keys.public };
    const w1 = new SshHost("w1", { slot: 1, connection });
    expect(() => new Cluster("demo", { nodes: { w1 }, ...range })).toThrow(
      'invalid Cluster args: nodes: no node has the role "control-plane"; give it to exactly one',
    );
    const cp = new SshHost("cp", { slot: 0, role: "control-plane", gone: true, connection });
    expect(() => new Cluster("demo", { nodes: { cp, w1 }, ...range })).toThrow(
      'invalid Cluster args: nodes.cp.gone: the cluster ends with the machine of its control plane; start the machine and take "gone" away, or remove the stack: pulumi stack rm --force',
    );
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

  test("of two services must not make one Service", () => {
    const demo = cluster(1);
    const named = (name: string, namespace?: string): SelectedService =>
      new SelectedService(name, {
        cluster: demo,
        serviceName: "web",
        ...(namespace !== undefined && { namespace }),
        selector: { app: name },
        ports: [{ port: 80 }],
      });
    named("web");
    named("beside", "other");
    expect(() => named("shop")).toThrow(
      'invalid SelectedService args: serviceName: "web" is the Service of another SelectedService of this program in the namespace default already',
    );
  });

  test("of the check must be of one cluster, and its timeout a number of seconds", () => {
    const demo = cluster(1);
    const network = new BridgeNetwork("network", { cluster: demo });
    const services = [new SelectedService("web", { cluster: demo, selector: { app: "web" }, ports: [{ port: 80 }] })];
    const other = Object.create(demo) as Cluster;
    expect(() => new ConnectivityCheck("connectivity", { cluster: other, network, services })).toThrow(
      "invalid ConnectivityCheck args:\n  network: is on another cluster than the check's\n  services.0: is on another cluster than the check's",
    );
    expect(() => new ConnectivityCheck("connectivity", { cluster: demo, network, timeout: 0 })).toThrow(
      "invalid ConnectivityCheck args: timeout: must be a whole number between 1 and 3600, got 0",
    );
  });

  test("of the check describe a cluster of the program's or one by its kubeconfig, and not both or neither", () => {
    const demo = cluster(1);
    const network = new BridgeNetwork("network", { cluster: demo });
    const check = (args: ConstructorParameters<typeof ConnectivityCheck>[1]) => () => new ConnectivityCheck("c", args);
    expect(check({})).toThrow(
      "invalid ConnectivityCheck args:\n  cluster: is required, or kubeconfig in place of cluster and network\n  network: is required, or kubeconfig in place of cluster and network",
    );
    expect(check({ cluster: demo, network, image: "mirror/agnhost:1" })).toThrow(
      "invalid ConnectivityCheck args: image: goes with kubeconfig alone",
    );
    expect(check({ kubeconfig: "k", network, image: "/", dnsDomain: "a b" })).toThrow(
      /^invalid ConnectivityCheck args:\n {2}image: .*\n {2}dnsDomain: .*\n {2}network: does not go with kubeconfig: that is of a cluster which the program does not make$/,
    );
  });

  test("of a service refuse a timeout that is no number of seconds", () => {
    const args = { selector: { app: "web" }, ports: [{ port: 80 }], timeout: 0.5 };
    expect(() => new SelectedService("web", { cluster: cluster(1), ...args })).toThrow(
      "invalid SelectedService args: timeout: must be a whole number between 1 and 3600, got 0.5",
    );
  });

  test.each([0, 70000])("of a service refuse port %i", (port) => {
    const demo = cluster(1);
    expect(() => new SelectedService("web", { cluster: demo, selector: { app: "web" }, ports: [{ port }] })).toThrow(
      `must be a whole number between 1 and 65535, got ${String(port)}`,
    );
  });
});
