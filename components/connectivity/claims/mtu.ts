import { blockedBy, BrokenWays } from "../broken";
import type { Request } from "../request";
import { nodePairs } from "../topology";
import { type Claim, type JudgedBy, type Verdict, verdict } from "./claim";

/** A packet that fills the MTU passes between every two nodes, and one that is a byte longer does not. */
export const mtu = {
  id: "mtu",
  title: "a packet that fills the MTU passes between nodes, one byte more does not",
  waitsOn: ["pod-to-pod"],
  needsNodes: "to send packets of an exact size",
  leastNodes: 2,
  betweenNodes: true,
  requests: (topology) =>
    nodePairs(topology, "probe-a", "probe-a").flatMap(({ from, address }) =>
      [0, 1].map((more) => ({
        ...from,
        ask: {
          kind: "packet",
          protocol: "ICMP",
          address,
          size: (topology.input.nodes[from.node]?.mtu ?? 0) + more,
        } as const,
      })),
    ),
  judge: (facts) => {
    const broken = new BrokenWays(facts, ["pod-to-pod"]);
    return facts.requestsOf("mtu").flatMap((request) => judgeOne(request, facts, broken));
  },
} as const satisfies Claim;

function judgeOne(request: Request, { topology, answerTo }: JudgedBy, broken: BrokenWays): Verdict[] {
  if (request.ask.kind !== "packet") {
    return [];
  }
  const { size } = request.ask;
  const fits = size <= (topology.input.nodes[request.node]?.mtu ?? 0);
  const expected = fits
    ? `a packet of ${String(size)} bytes passes unfragmented`
    : `one of ${String(size)} bytes does not`;
  const answer = answerTo(request);
  const link = broken.between("pod-to-pod", request.node, request.targetNode ?? "", "TCP");
  if (fits && !answer.ok && link) {
    return [verdict(request, "blocked", expected, blockedBy(link))];
  }
  const good = answer.ok === fits;
  return [verdict(request, good ? "passed" : "failed", expected, answer.ok ? "it passed" : answer.error)];
}
