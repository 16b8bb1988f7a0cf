import { beforeAll, beforeEach, afterEach, describe, expect, test } from "vitest";
import {
  BridgeNetwork,
  Cluster,
  ConnectivityCheck,
  Lab,
  type Machine,
  type Role,
  SelectedService,
  SshHost,
} from "../../components/index";
import { keyPair } from "../packages/pulumi-command/sshd";
import { cluster, type Made, settle as settled, useMocks } from "./mocks";

let made: Made[] = [];
// Another engine for each test: names are compared within one run of a program.
beforeEach(async () => {
  made = [];
  await useMocks((one) => made.push(one));
});
afterEach(() => settled(() => made.length));

const keys = keyPair();
let slots = 0;
beforeAll(() => {
  slots = 0;
});
const machine = (name: string, role: Role = "worker"): Machine => {
  const slot = slots++ % 200;
  const connection = { host: `192.0.2.${String(slot)}`, privateKey: keys.private, hostKey: keys.public };
  return new SshHost(name, { slot, role, connection });
};
const clusterOf = (name: string, ...names: string[]): Cluster =>
  new Cluster(name, {
    clusterName: "demo",
    nodes: Object.fromEntries(
      names.map((each, index) => [each, machine(each, index === 0 ? "control-plane" : "worker")]),
    ),
    podCidr: "10.244.0.0/16",
    serviceCidr: "10.96.0.0/16",
  });

/** URNs that two resources would share: the engine tells them apart by the types above them and their name. */
function twice(): string[] {
  const names = made.map(({ type, name }) => `${type} ${name}`);
  return names.filter((name, index) => names.indexOf(name) !== index);
}

const LONG = "n".repeat(62);

describe("nodes", () => {
  test.each<[string, string[]]>([
    [
      "words of podnet's own",
      ["switch", "ready", "members", "register", "owner", "change", "enable", "preflight", "take"],
    ],
    ["63 characters that differ at the end only", [`${LONG}1`, `${LONG}2`, `${LONG}3`]],
    ["names that begin with each other", ["a", "a-a", "a-a-take", "a-take", "a-on-a"]],
    ["names that other formats read as something else", ["1", "01", "1e0", "true", "null", "constructor", "0x1"]],
  ])("may be called %s", async (_, names) => {
    new BridgeNetwork("network", { cluster: clusterOf("demo", ...names) });
    await settled(() => made.length);
    expect(twice()).toEqual([]);
    for (const name of names) {
      expect(made.map((each) => each.name)).toContain(`demo-${name}-take`);
      expect(made.map((each) => each.name)).toContain(`network-on-${name}`);
    }
  });

  test.each(["", "Node", "a_b", "-a", "a-", "a.b", "a".repeat(64), "a b", "a/b", "ä"])(
    "are refused before anything is made: %j",
    async (name) => {
      const nodes = { cp: machine("cp", "control-plane"), [name]: machine("other") };
      expect(() => new Cluster("demo", { nodes, podCidr: "10.244.0.0/16", serviceCidr: "10.96.0.0/16" })).toThrow(
        /^invalid Cluster args: nodes\..*: must be a DNS label \(a-z, 0-9 and -, at most 63 characters, starting and ending with a letter or digit\), got "/,
      );
      await settled(() => made.length);
      expect(made.filter(({ type }) => type.startsWith("command:"))).toEqual([]);
    },
  );

  test("of two clusters must not join to the same names, and all of them are told at once", () => {
    clusterOf("a", "b-c", "b-d", "x");
    expect(() => clusterOf("a-b", "c", "d", "x")).toThrow(
      [
        "invalid Cluster args:",
        '  nodes.c: node "c" of the Cluster "a-b" and node "b-c" of the Cluster "a" would both be called "a-b-c"; give one of them another name',
        '  nodes.d: node "d" of the Cluster "a-b" and node "b-d" of the Cluster "a" would both be called "a-b-d"; give one of them another name',
      ].join("\n"),
    );
    expect(() => clusterOf("a-c", "c", "d", "x")).not.toThrow();
  });

  test("of two clusters' networks must not either", () => {
    const [one, other] = [clusterOf("one", "x-on-y"), clusterOf("other", "y")];
    new BridgeNetwork("n", { cluster: one });
    expect(() => new BridgeNetwork("n-on-x", { cluster: other })).toThrow(
      'the network "n-on-x" on the node "y" and the network "n" on the node "x-on-y" would both be called "n-on-x-on-y"; give one of them another name',
    );
    const third = clusterOf("third", "change");
    expect(() => new BridgeNetwork("n", { cluster: third })).not.toThrow();
    expect(() => new BridgeNetwork("n-on", { cluster: other })).toThrow(
      'the network "n-on" and the network "n" on the node "change" would both be called "n-on-change"; give one of them another name',
    );
  });

  test("of two labs must not either, nor their containers, nor may two labs have one name", () => {
    const nodes = (...names: string[]) => Object.fromEntries(names.map((name, slot) => [name, { slot }]));
    new Lab("a", { labName: "l", nodes: nodes("b-c") });
    expect(() => new Lab("a-b", { labName: "m", nodes: nodes("c") })).toThrow(
      'invalid Lab args: nodes.c: node "c" of the Lab "a-b" and node "b-c" of the Lab "a" would both be called "a-b-c"; give one of them another name',
    );
    expect(() => new Lab("third", { labName: "l-b", nodes: nodes("c") })).toThrow(
      'invalid Lab args: nodes.c: node "c" of the Lab "third" and node "b-c" of the Lab "a" would both be called "l-b-c"; give one of them another name',
    );
    expect(() => new Lab("fourth", { labName: "l", nodes: nodes("d") })).toThrow(
      'invalid Lab args: labName: the Lab "fourth" and the Lab "a" would both be called "l"; give one of them another name',
    );
    const dockerHost = "unix:///run/other.sock";
    expect(() => new Lab("fifth", { labName: "l", dockerHost, nodes: nodes("b-c") })).not.toThrow();
  });
});

describe("a service", () => {
  const args = { selector: { app: "web" }, ports: [{ port: 80 }] };
  test.each<[string, object, string]>([
    [
      "1web",
      {},
      'serviceName: must be a DNS label that starts with a letter (a-z, 0-9 and -, at most 63 characters, not ending with -), got "1web"',
    ],
    [
      "kubernetes",
      {},
      'serviceName: "kubernetes" in the namespace default is the API server\'s own; choose another name',
    ],
    [
      "coredns",
      { namespace: "kube-system" },
      "serviceName: \"coredns\" in the namespace kube-system is the cluster's DNS's own; choose another name",
    ],
    [
      "web",
      { namespace: "podnet-check" },
      'namespace: "podnet-check" is the connectivity check\'s own, which it makes and removes; choose another',
    ],
    [
      "web",
      { selector: { "podnet.dev/service": "other" } },
      'selector: "podnet.dev/service" is podnet\'s own label, which its pods have with the Service\'s name, "web"; take it away',
    ],
  ])("must not take a name that is somebody else's or illegal: %s", (name, more, message) => {
    expect(() => new SelectedService(name, { cluster: cluster(0), ...args, ...more })).toThrow(
      `invalid SelectedService args: ${message}`,
    );
  });

  test("may have those names elsewhere", () => {
    const demo = cluster(0);
    new SelectedService("kubernetes", { cluster: demo, ...args, namespace: "mine" });
    new SelectedService("w".repeat(63), {
      cluster: demo,
      ...args,
      selector: { app: "w", "podnet.dev/service": "w".repeat(63) },
    });
  });
});

test("a cluster has one check, whose namespace has one name", () => {
  const demo = cluster(0);
  const network = new BridgeNetwork("network", { cluster: demo });
  new ConnectivityCheck("first", { cluster: demo, network });
  expect(() => new ConnectivityCheck("second", { cluster: demo, network })).toThrow(
    'invalid ConnectivityCheck args: cluster: the ConnectivityCheck "second" and the ConnectivityCheck "first" would both be called "podnet-check"; give one of them another name',
  );
});
