import { PORTS } from "../probes";
import { nameOf, TRANSPORTS } from "../request";
import { type Claim, verdict } from "./claim";

/** Containers of a pod are in one network namespace: one asks the other on 127.0.0.1. */
export const localhost = {
  id: "localhost",
  title: "containers of a pod share localhost",
  waitsOn: [],
  requests: ({ onPodNetwork }) =>
    onPodNetwork.flatMap(({ node, probe }) =>
      TRANSPORTS.map((protocol) => ({
        node,
        probe,
        targetNode: node,
        target: nameOf(node, probe),
        ask: { kind: "hostnames", protocol, address: "127.0.0.1", port: PORTS.second[protocol], tries: 1 },
      })),
    ),
  judge: ({ topology, requestsOf, answerTo }) =>
    requestsOf("localhost").map((request) => {
      const answer = answerTo(request);
      const name = topology.podOf(request.node, request.probe)?.name ?? "?";
      const good = answer.ok && answer.values.every((value) => value === name);
      const seen = answer.ok ? `an answer of ${answer.values.join(", ")}` : answer.error;
      return verdict(request, good ? "passed" : "failed", "the pod's other container answers on 127.0.0.1", seen);
    }),
} as const satisfies Claim;
