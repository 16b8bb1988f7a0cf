import { expect, test } from "vitest";
import { causesOf } from "../../../../components/connectivity/cause/causes";
import type { Evidence } from "../../../../components/connectivity/cause/investigate";
import { flowsOf } from "../../../../components/connectivity/cause/flows";
import type { Sight } from "../../../../components/connectivity/cause/seen";
import { judge } from "../../../../components/connectivity/judge";
import { causeText } from "../../../../components/connectivity/report/table";
import { answering, type Change, ok, silent, verdictsOf, WEB, world } from "../world";

/** Causes of a world's failures, in lines, with what the nodes saw. */
function causes(
  change: Change,
  byNode: Evidence["byNode"] = {},
  more: Partial<Pick<Evidence, "proxies" | "endpoints" | "policies">> = { proxies: {} },
): string[] {
  const { facts } = world(change);
  const verdicts = verdictsOf(change);
  const followed = flowsOf([...verdicts.values()].flat(), facts.topology);
  const { proxies, endpoints = facts.topology.pods.map(({ ip }) => ip), policies = [] } = more;
  return causesOf(verdicts, facts, { followed, byNode, proxies, endpoints, policies }).map(causeText);
}

const seenAt = (flow: string, ...points: string[]): Sight[] =>
  points.map((point) => ({ at: "count", flow, direction: "there", point, packets: 5 }) as Sight);
const drop: Sight = { at: "rule", what: "drop", text: "ip bad f: drop" };
/** A world where w1 and w2 do not reach each other's pods. */
const CUT = answering(
  ({ node, targetNode, claim }) => claim === "pod-to-pod" && [node, targetNode].sort().join() === "w1,w2",
  silent,
);

test("a sound world has no cause", () => {
  expect(causes({})).toEqual([]);
});

test("one rule that drops is one cause, with every proof that failed by it, both ways", () => {
  const byNode = {
    w2: [...seenAt("f0", "in", "forward", "passed", "out"), drop],
    w1: [...seenAt("f0", "in", "forward"), drop],
  };
  expect(causes(CUT, byNode)).toEqual([
    "w1: the rule `drop` in nft's chain ip bad f drops packets, such as those from 10.244.1.2 to 10.244.2.2 (8 proofs failed by it)",
    "w2: no packet of w2/probe-a (10.244.2.2) comes in from its interface (8 proofs failed by it)",
  ]);
});

test("what differs from what podnet made is the cause in its words, and is told once", () => {
  const status: Change["status"] = (node, good) =>
    node === "w1" ? { ...good, routes: { ...good.routes, now: good.routes.now.slice(0, 1) } } : good;
  const byNode = { w1: seenAt("f0", "in"), w2: seenAt("f1", "in", "forward", "passed", "out") };
  expect(causes({ ...CUT, status }, byNode)[0]).toMatch(
    /^w1: the route to 10\.244\.2\.0\/24 via 192\.0\.2\.12 is missing \(\d+ proofs failed by it\)$/,
  );
});

test("a difference that explains nothing is a cause of no proof, and one that explains a claim counts its proofs", () => {
  const dead: Change["status"] = (node, good) =>
    node === "w2" ? { ...good, units: good.units.map((unit) => ({ ...unit, active: "inactive" })) } : good;
  expect(causes({ status: dead })).toEqual([
    "w2: containerd is inactive; kubelet is inactive; podnet-network is inactive",
  ]);
  const noRules: Change["status"] = (node, good) =>
    node === "w2" ? { ...good, egress: { wanted: true, now: "missing" } } : good;
  expect(
    causes({ status: noRules, ...answering(({ claim, node }) => claim === "egress" && node === "w2", silent) }),
  ).toEqual(["w2: nft's table ip podnet is missing (1 proof failed by it)"]);
});

test("a node without rules for ClusterIPs is told with why kube-proxy does not run there", () => {
  const noProxy = answering(
    ({ claim, node, pod }) => claim === "service" && node === "w2" && pod === undefined,
    silent,
  );
  const served = (now: boolean): Sight[] =>
    ["10.96.1.1", "10.96.7.7"].map((address) => ({ at: "service", address, served: now }));
  expect(causes(noProxy, { w2: served(false) }, { proxies: { w2: "none runs there" } })).toEqual([
    "w2: it has no rules for ClusterIPs, which kube-proxy makes: none runs there, such as those to 10.96.1.1 (6 proofs failed by it)",
  ]);
  expect(causes(noProxy, { w2: served(false) })).toEqual([
    "w2: it has no rules for ClusterIPs, which kube-proxy makes, though kube-proxy runs there, such as those to 10.96.1.1 (6 proofs failed by it)",
  ]);
  expect(causes(noProxy, { w2: served(true) })).toEqual([]);
  // Where no kube-proxy runs at all, something else serves them.
  expect(causes(noProxy, { w2: served(false) }, {})).toEqual([]);
});

test("a Service's selector, its deaf pod and a DNS that does not run are causes by their own words", () => {
  const found = [{ name: "default/web", selector: { app: "wbe" }, pods: ["web-1"], endpoints: [] }];
  expect(causes({ found })).toEqual([
    "Service default/web: its selector is declared as app=web, and it selects app=wbe; endpoints are none (1 proof failed by it)",
  ]);
  const refused = { ok: false, error: "connection refused" } as const;
  expect(causes({ services: [WEB], ...answering(({ pod }) => pod === "web-2", refused) })).toEqual([
    "Service default/web: its pod web-2 on w1 does not answer on its targetPort 8080: connection refused (1 proof failed by it)",
  ]);
  const unresolved = { ok: false, error: "the name does not resolve" } as const;
  expect(
    causes({
      dnsNodes: [],
      dnsTrouble: "coredns-1 on cp: OOMKilled",
      ...answering(({ claim }) => claim === "dns", unresolved),
    }),
  ).toEqual(["the cluster's DNS: coredns-1 on cp: OOMKilled (3 proofs failed by it)"]);
});

test("a node whose rules do not follow the endpoints is told, by an endpoint that they lack and by a pod that was taken out", () => {
  const lacking = answering(
    ({ claim, node, service, ask }) =>
      claim === "service" && node === "w2" && service === undefined && ask.protocol === "TCP",
    ok("probe-a-cp", "probe-a-w1"),
  );
  const rules = (...served: boolean[]): Sight[] => [
    { at: "service", address: "10.96.1.1", served: true },
    ...served.map((one, slot): Sight => ({ at: "endpoint", address: `10.244.${String(slot)}.2`, served: one })),
  ];
  const relabelling: Change["relabelling"] = (good) => ({
    ...good,
    answered: { ...good.answered, w2: ["probe-a-cp", "probe-a-w1"] },
  });
  const stale = "w2: its rules for ClusterIPs do not follow the endpoints of Services";
  expect(causes({ ...lacking, relabelling }, { w2: rules(true, true, false) })).toEqual([
    `${stale}, though kube-proxy runs there, such as those to 10.96.1.1 (3 proofs failed by it)`,
  ]);
  expect(causes(lacking, { w2: rules(true, true, true) })).toEqual([]);
  // Rules that lack a pod which is ready no more follow the endpoints.
  const left = { proxies: {}, endpoints: ["10.244.0.2", "10.244.1.2"] };
  expect(causes(lacking, { w2: rules(true, true, false) }, left)).toEqual([]);
  expect(causes({ relabelling }, {}, { proxies: { w2: "none runs there" } })).toEqual([
    `${stale}: none runs there, such as those to probe without probe-a-cp (1 proof failed by it)`,
  ]);
  // Where no kube-proxy runs at all, something else makes the rules.
  expect(causes({ relabelling }, {}, {})).toEqual([
    `${stale}, such as those to probe without probe-a-cp (1 proof failed by it)`,
  ]);
});

test("a NetworkPolicy of somebody else's on probes is the cause of what is asked of them, or by them", () => {
  const deaf = answering(
    ({ claim, target }) => (claim === "pod-to-pod" || claim === "node-to-pod") && target === "w2/probe-b",
    silent,
  );
  const first = (change: Change, policy: Partial<Evidence["policies"][number]>): string | undefined => {
    const seen = { name: "podnet-check/deny", ingress: true, egress: false, pods: ["probe-b-w2"], ...policy };
    return causes(change, {}, { proxies: {}, policies: [seen] })[0];
  };
  const told = "NetworkPolicy podnet-check/deny: it holds back what the check asks";
  expect(first(deaf, {})).toBe(`${told} (16 proofs failed by it)`);
  expect(first(deaf, { pods: ["probe-a-w2"] })).not.toContain(told);
  expect(first(deaf, { ingress: false })).not.toContain(told);
  const mute = answering(({ claim, source }) => claim === "pod-to-pod" && source === "w2/probe-b", silent);
  expect(first(mute, { ingress: false, egress: true })).toBe(`${told} (10 proofs failed by it)`);
});

test("a DNS that runs and does not tell the addresses of Services is told by what it was asked", () => {
  const unresolved = { ok: false, error: "the name does not resolve" } as const;
  expect(causes(answering(({ claim, pod }) => claim === "dns" && pod === undefined, unresolved))).toEqual([
    "the cluster's DNS: asked for probe.podnet-check.svc.cluster.local: the name does not resolve (3 proofs failed by it)",
  ]);
});

test("of each ordered pair of nodes one flow is followed, every node early, and none to a pod that is no probe", () => {
  const { facts } = world({ nodes: ["a", "b", "c", "d", "e"], answer: () => silent });
  const flows = flowsOf([...judge(facts).values()].flat(), facts.topology).map(({ flow }) => flow);
  expect(flows).toHaveLength(12);
  expect(flows.slice(0, 5).map(({ source }) => source)).toEqual(["a", "b", "c", "d", "e"]);
  expect(new Set(flows.map(({ source, target }) => `${source} ${target}`)).size).toBe(12);
  expect(flows.every(({ toProbe }) => toProbe !== undefined)).toBe(true);
});
