import { blockedBy, BrokenWays } from "../broken";
import { PORTS } from "../probes";
import type { Request } from "../request";
import { nodePairs } from "../topology";
import { type Claim, type JudgedBy, type Verdict, verdict } from "./claim";

/** Bytes by which a packet is longer than the MTU, so that it goes in fragments. */
const LONGER = 1000;

/** A UDP packet that is longer than the MTU arrives between every two nodes, in fragments: large answers of a DNS are such. */
export const fragments = {
  id: "fragments",
  title: "a UDP packet longer than the MTU arrives in fragments between nodes",
  waitsOn: ["pod-to-pod"],
  needsNodes: "to send packets of an exact size",
  leastNodes: 2,
  betweenNodes: true,
  requests: (topology) =>
    nodePairs(topology, "probe-b", "probe-a").map(({ from, address }) => ({
      ...from,
      ask: {
        kind: "fragments",
        protocol: "UDP",
        address,
        port: PORTS.pod.UDP,
        size: (topology.input.nodes[from.node]?.mtu ?? 0) + LONGER,
      } as const,
    })),
  judge: (facts) => {
    const broken = new BrokenWays(facts, ["pod-to-pod"]);
    return facts.requestsOf("fragments").map((request) => judgeOne(request, facts, broken));
  },
} as const satisfies Claim;

function judgeOne(request: Request, { answerTo }: JudgedBy, broken: BrokenWays): Verdict {
  const size = request.ask.kind === "fragments" ? String(request.ask.size) : "";
  const expected = `a packet of ${size} bytes arrives in fragments`;
  const answer = answerTo(request);
  if (answer.ok) {
    return verdict(request, "passed", expected, "it arrived");
  }
  const link = broken.between("pod-to-pod", request.node, request.targetNode ?? "", "UDP");
  return link
    ? verdict(request, "blocked", expected, blockedBy(link))
    : verdict(request, "failed", expected, answer.error);
}
