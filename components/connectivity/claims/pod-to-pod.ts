import { PORTS } from "../probes";
import { nameOf, TRANSPORTS } from "../request";
import { type Claim, judgeAnswered } from "./claim";

/** Every ordered pair of probes on the pod network. */
export const podToPod = {
  id: "pod-to-pod",
  title: "every pod reaches every pod, on its node and across nodes",
  waitsOn: [],
  betweenNodes: true,
  requests: ({ onPodNetwork }) =>
    onPodNetwork.flatMap((from) =>
      TRANSPORTS.flatMap((protocol) =>
        onPodNetwork
          .filter((to) => to !== from)
          .map((to) => ({
            node: from.node,
            probe: from.probe,
            targetNode: to.node,
            target: nameOf(to.node, to.probe),
            ask: { kind: "clientip", protocol, address: to.ip, port: PORTS.pod[protocol] } as const,
          })),
      ),
    ),
  judge: (facts) => judgeAnswered(facts.requestsOf("pod-to-pod"), facts),
} as const satisfies Claim;
