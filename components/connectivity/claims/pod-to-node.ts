import { PORTS } from "../probes";
import { TRANSPORTS } from "../request";
import { type Claim, judgeAnswered } from "./claim";

/** Every probe on the pod network against every node's own address. */
export const podToNode = {
  id: "pod-to-node",
  title: "every pod reaches every node",
  waitsOn: [],
  betweenNodes: true,
  requests: ({ input, onPodNetwork }) =>
    onPodNetwork.flatMap(({ node, probe }) =>
      TRANSPORTS.flatMap((protocol) =>
        Object.entries(input.nodes).map(([to, { internalIp }]) => ({
          node,
          probe,
          targetNode: to,
          target: to,
          ask: { kind: "clientip", protocol, address: internalIp, port: PORTS.host[protocol] } as const,
        })),
      ),
    ),
  judge: (facts) => judgeAnswered(facts.requestsOf("pod-to-node"), facts),
} as const satisfies Claim;
