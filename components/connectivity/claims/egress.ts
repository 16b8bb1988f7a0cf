import { own } from "../../args/own";
import { type Claim, type JudgedBy, type Verdict, verdict } from "./claim";

/**
 * What a pod sends out of the cluster arrives there with its node's address. The peer is the machine that runs the check; where a node
 * does not reach that itself, nothing can be said of its pods.
 */
export const egress = {
  id: "egress",
  title: "a pod reaches a peer outside the cluster, which sees its node's address",
  waitsOn: [],
  needsNodes: "to know the address by which the node itself is seen",
  explainedBy: ["egress", "settings", "forwarding", "bridge"],
  requests: ({ nodes, outside: { port, nonce, ways } }) =>
    nodes.flatMap((node) => {
      const way = own(ways, node);
      return way === undefined
        ? []
        : [
            {
              node,
              probe: "probe-b" as const,
              target: way.address,
              ask: { kind: "outside", protocol: "TCP", address: way.address, port, nonce } as const,
            },
          ];
    }),
  judge: (facts) => [
    ...facts.requestsOf("egress").map((request) => {
      const { seenAs = "?" } = own(facts.topology.outside.ways, request.node) ?? {};
      const expected = `the peer sees ${seenAs}, as it sees the node itself`;
      const answer = facts.answerTo(request);
      const seen = answer.ok ? `it sees ${answer.values.join(", ")}` : answer.error;
      return verdict(
        request,
        answer.ok && answer.values.every((value) => value === seenAs) ? "passed" : "failed",
        expected,
        seen,
      );
    }),
    ...without(facts),
  ],
} as const satisfies Claim;

/** The nodes that do not reach the peer themselves. */
function without({ topology: { nodes, outside } }: JudgedBy): Verdict[] {
  return nodes
    .filter((node) => own(outside.ways, node) === undefined)
    .map((node) => ({
      source: node,
      target: "outside",
      status: "not-applicable",
      expected: "a pod reaches a peer outside the cluster",
      seen: `${node} does not reach the machine that runs the check, or that is one of the cluster's; no other peer outside it is known`,
    }));
}
