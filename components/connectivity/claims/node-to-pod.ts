import { judgeAnswered } from "../answered";
import { PORTS } from "../probes";
import { nameOf, TRANSPORTS } from "../request";
import type { Claim } from "./claim";

/** Every node against every probe on the pod network; in a sample against those of few nodes. */
export const nodeToPod = {
  id: "node-to-pod",
  title: "every node reaches every pod",
  waitsOn: [],
  betweenNodes: true,
  requests: ({ askers, coverage, podsOn }) =>
    askers
      .filter(({ probe }) => probe === "probe-host")
      .flatMap(({ node, probe }) =>
        TRANSPORTS.flatMap((protocol) =>
          coverage.peersOf(node).flatMap((other) =>
            podsOn(other).map((to) => ({
              node,
              probe,
              targetNode: to.node,
              target: nameOf(to.node, to.probe),
              ask: { kind: "clientip", protocol, address: to.ip, port: PORTS.pod[protocol] } as const,
            })),
          ),
        ),
      ),
  judge: (facts) => judgeAnswered(facts.requestsOf("node-to-pod"), facts),
} as const satisfies Claim;
