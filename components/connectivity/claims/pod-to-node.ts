import { judgeAnswered } from "../answered";
import { PORTS } from "../probes";
import { TRANSPORTS } from "../request";
import type { Claim } from "./claim";

/** Every probe on the pod network against every node's own address; in a sample against those of few nodes. */
export const podToNode = {
  id: "pod-to-node",
  title: "every pod reaches every node",
  waitsOn: [],
  betweenNodes: true,
  requests: ({ input, onPodNetwork, coverage }) =>
    onPodNetwork.flatMap(({ node, probe }) =>
      TRANSPORTS.flatMap((protocol) =>
        coverage.peersOf(node).map((to) => ({
          node,
          probe,
          targetNode: to,
          target: to,
          ask: {
            kind: "clientip",
            protocol,
            address: input.nodes[to]?.internalIp ?? "",
            port: PORTS.host[protocol],
          } as const,
        })),
      ),
    ),
  judge: (facts) => judgeAnswered(facts.requestsOf("pod-to-node"), facts),
} as const satisfies Claim;
