import { grouped } from "../../args/grouped";
import { judgeAnswered } from "../answered";
import { PORTS } from "../probes";
import { nameOf, type PlannedRequest, type ProbePod, TRANSPORTS } from "../request";
import type { Topology } from "../topology";
import type { Claim } from "./claim";

/** Every ordered pair of probes on the pod network; in a sample those of few nodes, and one pair of every other two nodes. */
export const podToPod = {
  id: "pod-to-pod",
  title: "every pod reaches every pod, on its node and across nodes",
  waitsOn: [],
  betweenNodes: true,
  requests: (topology) => [...pairs(topology), ...routes(topology)],
  judge: (facts) => judgeAnswered(facts.requestsOf("pod-to-pod"), facts),
} as const satisfies Claim;

function pairs({ onPodNetwork, coverage, podsOn }: Topology): PlannedRequest[] {
  return onPodNetwork.flatMap((from) =>
    TRANSPORTS.flatMap((protocol) =>
      coverage
        .peersOf(from.node)
        .flatMap(podsOn)
        .filter((to) => to !== from)
        .map((to) => ({
          node: from.node,
          probe: from.probe,
          targetNode: to.node,
          target: nameOf(to.node, to.probe),
          ask: { kind: "clientip", protocol, address: to.ip, port: PORTS.pod[protocol] } as const,
        })),
    ),
  );
}

/** One pod of each node of which nothing else is asked, asked by one of a node's pods: they take turns, and so do those that they ask. */
function routes({ nodes, coverage, podsOn }: Topology): PlannedRequest[] {
  return nodes.flatMap((node) => {
    const own = podsOn(node);
    const asked = coverage.othersOf(node).flatMap((other, index) => {
      const others = podsOn(other);
      const turn = coverage.seed + index;
      const from = own[turn % own.length];
      const to = others[Math.floor(turn / own.length) % others.length];
      return from && to ? [{ from, to }] : [];
    });
    return [...grouped(asked, ({ from }) => from)].map(([from, some]) =>
      reach(
        from,
        some.map(({ to }) => to),
      ),
    );
  });
}

function reach({ node, probe }: ProbePod, to: readonly ProbePod[]): PlannedRequest {
  const target = `${String(to.length)} pods of other nodes`;
  return { node, probe, target, ask: { kind: "reach", protocol: "TCP", port: PORTS.pod.TCP, to } };
}
