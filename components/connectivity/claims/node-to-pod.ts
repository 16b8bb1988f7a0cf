import { PORTS } from "../probes";
import { nameOf, TRANSPORTS } from "../request";
import { type Claim, judgeAnswered } from "./claim";

/** Every node against every probe on the pod network. */
export const nodeToPod = {
  id: "node-to-pod",
  title: "every node reaches every pod",
  waitsOn: [],
  betweenNodes: true,
  requests: ({ askers, onPodNetwork }) =>
    askers
      .filter(({ probe }) => probe === "probe-host")
      .flatMap(({ node, probe }) =>
        TRANSPORTS.flatMap((protocol) =>
          onPodNetwork.map((to) => ({
            node,
            probe,
            targetNode: to.node,
            target: nameOf(to.node, to.probe),
            ask: { kind: "clientip", protocol, address: to.ip, port: PORTS.pod[protocol] } as const,
          })),
        ),
      ),
  judge: (facts) => judgeAnswered(facts.requestsOf("node-to-pod"), facts),
} as const satisfies Claim;
