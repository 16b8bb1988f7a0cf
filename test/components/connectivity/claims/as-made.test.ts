import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { asMade } from "../../../../components/connectivity/claims/as-made";
import { bridgeDefinition } from "../../../../components/network/bridge/definition";
import type { NodeStatus } from "../../../../components/node/status";
import { type Change, countsOf, NO_PROMISE, problemsOf, SILENCE } from "../world";

/** A world in which w1's status differs. */
const where = (change: (good: NodeStatus) => Partial<NodeStatus>): Change => ({
  status: (node, good) => (node === "w1" ? { ...good, ...change(good) } : good),
});
const [TO_CP, TO_W2] = ["10.244.0.0/24 via 192.0.2.10", "10.244.2.0/24 via 192.0.2.12"] as const;

test("passes where every node is as podnet made it", () => {
  expect(countsOf("as-made")).toEqual({ passed: 30 });
});

test.each<[string, Change, string]>([
  [
    "a phase that an interrupted update applied with something else",
    where(() => ({ works: { network: { work: "fedcba9876543210", applied: 1 } } })),
    "phases - failed: every phase applied last with what the program declares | network was not: run pulumi up --replace '**::network-on-w1', which applies it anew",
  ],
  [
    "a phase that was never applied",
    where(() => ({ works: { install: { work: "0123456789abcdef", applied: 1 } } })),
    "phases - failed: every phase applied last with what the program declares | network was not: run pulumi up --replace '**::network-on-w1', which applies it anew",
  ],
  [
    "another network",
    where(({ network }) => ({ network: network && { ...network, id: "cilium-native" } })),
    "network - failed: the network bridge | cilium-native",
  ],
  ["no network", where(() => ({ network: null })), "network - failed: the network bridge | no network"],
  [
    "a conflist that sorts first",
    where(() => ({ conflists: ["00-theirs.conflist", "10-podnet.conflist"] })),
    "conflist - failed: 10-podnet.conflist before all others in /etc/cni/net.d | 00-theirs.conflist",
  ],
  [
    "no conflist",
    where(() => ({ conflists: [] })),
    "conflist - failed: 10-podnet.conflist before all others in /etc/cni/net.d | none",
  ],
  [
    "files that changed and went",
    where(({ files }) => ({
      files: files.map((file, index) => ({ ...file, now: index === 0 ? "changed" : "missing" })),
    })),
    "files - failed: every file as podnet made it | /etc/cni/net.d/10-podnet.conflist has changed; /usr/local/bin/kubelet is missing",
  ],
  [
    "a unit that is off",
    where(({ units }) => ({
      units: units.map((unit) => (unit.name === "kubelet" ? { ...unit, active: "failed", enabled: "disabled" } : unit)),
    })),
    "units - failed: every unit of podnet's active and enabled | kubelet is failed; kubelet is disabled",
  ],
  [
    "other kernel settings",
    where(({ sysctls }) => ({ sysctls: sysctls.map((sysctl, index) => ({ ...sysctl, now: index === 0 ? "0" : "" })) })),
    "settings - failed: every kernel setting as podnet made it | net.ipv4.ip_forward is 0, podnet made it 1; net.bridge.bridge-nf-call-iptables is not there, podnet made it 1",
  ],
  [
    "a setting of its own that wins over podnet's",
    where(() => ({ overruled: ["/etc/sysctl.conf line 1 sets net.ipv4.ip_forward = 0, which wins"] })),
    "settings - failed: every kernel setting as podnet made it | /etc/sysctl.conf line 1 sets net.ipv4.ip_forward = 0, which wins",
  ],
  [
    "a route that is gone",
    where(({ routes }) => ({ routes: { ...routes, now: [TO_CP] } })),
    `routes - failed: podnet's routes to the other nodes' pods | the route to ${TO_W2} is missing`,
  ],
  [
    "a route by another node, and one too many",
    where(({ routes }) => ({
      routes: { ...routes, now: [TO_CP, "10.244.2.0/24 via 192.0.2.10", "10.244.9.0/24 via 192.0.2.19"] },
    })),
    "routes - failed: podnet's routes to the other nodes' pods | the route to 10.244.2.0/24 goes via 192.0.2.10, podnet made it via 192.0.2.12; the route to 10.244.9.0/24 via 192.0.2.19 is one too many",
  ],
  [
    "a more exact route that wins, or a rule that leads elsewhere",
    where(({ routes }) => ({
      routes: {
        ...routes,
        taken: [
          "10.244.0.1 via 192.0.2.10",
          "10.244.0.254 by dummy0",
          "10.244.2.1 No route to host",
          "10.244.2.254 via 192.0.2.10",
        ],
      },
    })),
    "routes - failed: podnet's routes to the other nodes' pods | what is for 10.244.0.254 goes by dummy0, podnet made the route to 10.244.0.0/24 via 192.0.2.10; there is no way to 10.244.2.1 (No route to host), podnet made the route to 10.244.2.0/24 via 192.0.2.12",
  ],
  [
    "a bridge that is down, with another address, and odd ports",
    where(() => ({
      bridge: {
        name: "cni0",
        up: false,
        addresses: ["10.9.0.1/24"],
        ports: [
          { name: "veth1", up: false, hairpin: true, isolated: true },
          { name: "veth2", up: true, hairpin: false, isolated: true },
        ],
      },
    })),
    "bridge - failed: the pods' bridge up, with the gateway's address, and its ports as bridge makes them | the bridge cni0 is down; the bridge cni0 has the address 10.9.0.1/24, and the pods' gateway is 10.244.1.1/24; ports are down of cni0: veth1; hairpin is off on ports of cni0: veth2; pods are isolated from each other on ports of cni0: veth1, veth2",
  ],
  [
    "no egress rules",
    where(() => ({ egress: { wanted: true, now: "missing" } })),
    "egress - failed: podnet's rules for what leaves the cluster | nft's table ip podnet is missing",
  ],
  [
    "other egress rules",
    where(() => ({ egress: { wanted: true, now: "changed" } })),
    "egress - failed: podnet's rules for what leaves the cluster | nft's table ip podnet has changed",
  ],
  [
    "a host that drops what it forwards",
    where(() => ({ forward: { drops: true, accepted: false } })),
    "forwarding - failed: the host to forward what pods send | the chain FORWARD drops, and podnet's accepts are missing from it",
  ],
])("fails for a node with %s, and says what differs", (_, change, problem) => {
  expect(problemsOf("as-made", change)).toEqual([`w1 -> ${problem}`]);
  expect(countsOf("as-made", change)).toEqual({ passed: 29, failed: 1 });
});

test("passes for a host that drops by itself and accepts what pods send", () => {
  expect(
    countsOf(
      "as-made",
      where(() => ({ forward: { drops: true, accepted: true } })),
    ),
  ).toEqual({ passed: 30 });
});

test("asks for no routes and rules where the network's agents make them", () => {
  const change = where(() => ({
    routes: { wanted: [], now: [], taken: [] },
    bridge: null,
    egress: { wanted: false, now: "missing" },
    forward: { drops: true, accepted: false },
  }));
  expect(countsOf("as-made", change)).toEqual({ passed: 26 });
});

test("fails for a node that tells nothing", () => {
  const change: Change = { status: (node, good) => (node === "w2" ? undefined : good) };
  expect(problemsOf("as-made", change)).toEqual(["w2 -> status - failed: the node to tell its status | nothing"]);
});

test("waits on nothing, so that nothing blocks it, and always applies", () => {
  expect(asMade.waitsOn).toEqual([]);
  expect(asMade).not.toHaveProperty("exemption");
  expect(countsOf("as-made", { ...SILENCE, notApplicable: NO_PROMISE })).toEqual({ passed: 30 });
});

test("the bridge's conflist has the name that its part of the node program gives it", () => {
  const script = readFileSync(join(__dirname, "../../../../components/network/bridge/node/node.sh"), "utf8");
  expect(script).toContain(`\nconflist=/etc/cni/net.d/${bridgeDefinition().conflist}\n`);
});
