import { expect, test } from "vitest";
import type { Answer } from "../../../components/connectivity/driver";
import { factsOf } from "../../../components/connectivity/facts";
import { judge } from "../../../components/connectivity/judge";
import { planRequests } from "../../../components/connectivity/plan";
import { findingsOf } from "../../../components/connectivity/report/finding";
import type { Request } from "../../../components/connectivity/request";
import type { Topology } from "../../../components/connectivity/topology";
import { ok, silent, world } from "./world";

/** A topology of a cluster that podnet did not make. */
function foreign(): Topology {
  const { topology } = world({ services: [], found: [] }).facts;
  const { input } = topology;
  const nodes = Object.fromEntries(
    Object.entries(input.nodes).map(([name, { internalIp }]) => [name, { internalIp, mtu: 0, works: {} }]),
  );
  return { ...topology, input: { ...input, podsAlone: true, nodes } };
}

/** What the judge finds where the requests are answered so, as counts and as failures. */
function judged(answer: (request: Request) => Answer) {
  const topology = foreign();
  const requests = planRequests(topology);
  const { observations } = world({ services: [], found: [] }).facts;
  const answers = new Map(requests.map((request) => [request.id, answer(request)]));
  const addresses = Object.fromEntries(
    Object.entries(topology.input.nodes).map(([node, { internalIp }]) => [node, [internalIp]]),
  );
  const facts = factsOf(topology, { ...observations, seen: {}, statuses: {}, addresses, requests, answers });
  return findingsOf(judge(facts));
}

/** What a sound cluster's pods answer; a node is seen on its bridge by pods. */
function sound({ node, probe, claim, target, only, ask, targetNode }: Request): Answer {
  const { topology } = world({}).facts;
  switch (ask.kind) {
    case "clientip":
      return ok(
        probe === "probe-host"
          ? claim === "node-to-pod" && targetNode === node
            ? `10.244.${String(topology.nodes.indexOf(node))}.1`
            : (topology.input.nodes[node]?.internalIp ?? "")
          : (topology.podOf(node, probe)?.ip ?? ""),
      );
    case "connect":
      return ok("connected");
    default:
      return ok(...(only ?? [claim === "localhost" ? (topology.podOf(node, probe)?.name ?? "") : target]));
  }
}

test("pods alone are asked for nothing that needs a shell on a node", () => {
  const requests = planRequests(foreign());
  expect([...new Set(requests.map(({ ask }) => ask.kind))].sort()).toEqual(["clientip", "connect", "hostnames"]);
  expect([...new Set(requests.map(({ claim }) => claim))].sort()).toEqual(
    ["api", "dns", "hairpin", "localhost", "node-to-pod", "pod-to-node", "pod-to-pod", "service"].sort(),
  );
  expect(requests.find(({ claim }) => claim === "dns")).toMatchObject({
    node: "cp",
    only: ["probe-a-cp", "probe-a-w1", "probe-a-w2"],
    ask: { kind: "hostnames", protocol: "UDP", address: "probe.podnet-check.svc.cluster.local", port: 81, tries: 1 },
  });
});

test("what needs a shell does not apply, with the reason, and so does what podnet did not declare", () => {
  const findings = judged(sound);
  const na = findings.filter(({ status }) => status === "not-applicable");
  expect([...new Set(na.map(({ claim }) => claim))]).toEqual([
    "as-made",
    "no-nat",
    "pod-ip",
    "addresses",
    "mtu",
    "fragments",
    "loss",
    "dns",
    "egress",
  ]);
  expect(na.find(({ claim }) => claim === "mtu")?.seen).toBe(
    "needs a shell on the nodes, to send packets of an exact size; this check goes by pods alone",
  );
  expect(na.filter(({ claim }) => claim === "no-nat").map(({ source, target }) => `${source} ${target}`)).toHaveLength(
    12,
  );
  expect(findings.filter(({ status }) => status === "failed" || status === "blocked")).toEqual([]);
});

test("a name that somebody else answers fails, and one that nobody answers too", () => {
  const failures = (dns: Answer) =>
    judged((request) => (request.claim === "dns" && request.node === "w1" ? dns : sound(request)))
      .filter(({ status }) => status === "failed")
      .map(({ claim, source, seen }) => `${claim} ${source}: ${seen}`);
  expect(failures(ok("stranger"))).toEqual(["dns w1/probe-b: an answer of stranger"]);
  expect(failures(silent)).toEqual(["dns w1/probe-b: no answer within 1.5 s"]);
});
