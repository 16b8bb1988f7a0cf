import { blockedBy, BrokenWays } from "../broken";
import { lostOf, type Request } from "../request";
import { nodePairs } from "../topology";
import { type Claim, type JudgedBy, type Verdict, verdict } from "./claim";

/**
 * Packets that a node sends another one after another; twice as many where one of them was lost. Where 1 % is lost, fewer than four of
 * eight hundred are in 4 % of runs (binomial distribution). A ping sends at most a hundred a second over a link that takes longer.
 */
const COUNT = 400;
/** Packets that a node sends to all others together, however many they are, and those that each of them gets at least. */
const [TOGETHER, LEAST] = [8000, 200];

/** Packets that each of a number of nodes between which everything is asked sends to each other one. */
export function countFor(nodes: number): number {
  return Math.min(COUNT, Math.max(LEAST, Math.floor(TOGETHER / Math.max(1, nodes - 1))));
}

/** Part of the packets that may be lost. */
const ALLOWED = 0.005;

/** Packets between every two nodes are not lost, not even one in a hundred. */
export const loss = {
  id: "loss",
  title: "of many packets between two nodes not 1 % is lost",
  waitsOn: ["pod-to-pod"],
  needsNodes: "to send many packets",
  leastNodes: 2,
  betweenNodes: true,
  requests: (topology) =>
    nodePairs(topology, "probe-a", "probe-b").map(({ from, address }) => ({
      ...from,
      ask: {
        kind: "loss",
        protocol: "ICMP",
        address,
        count: countFor(topology.coverage.peersOf(from.node).length),
      } as const,
    })),
  judge: (facts) => {
    const broken = new BrokenWays(facts, ["pod-to-pod"]);
    return facts.requestsOf("loss").map((request) => judgeOne(request, facts, broken));
  },
} as const satisfies Claim;

function judgeOne(request: Request, { answerTo }: JudgedBy, broken: BrokenWays): Verdict {
  const expected = `fewer than ${String(ALLOWED * 100)} % of the packets are lost`;
  const answer = answerTo(request);
  const values = answer.ok ? answer.values : [];
  const sent = values.reduce((sum, value) => sum + Number(/^\d+\/(\d+)$/.exec(value)?.[1] ?? 0), 0);
  const lost = values.reduce((sum, value) => sum + lostOf(value), 0);
  const [, took] = /^([\d.]+) ms$/.exec(values.find((value) => value.endsWith(" ms")) ?? "") ?? [];
  const measured =
    sent > 0 ? { measured: { lost: lost / sent, ...(took !== undefined && { milliseconds: Number(took) }) } } : {};
  if (sent > 0 && lost / sent < ALLOWED) {
    const text = `${String(lost)} of ${String(sent)} lost${took === undefined ? "" : `, an answer takes ${took} ms`}`;
    return { ...verdict(request, "passed", expected, text), ...measured };
  }
  const link = broken.between("pod-to-pod", request.node, request.targetNode ?? "", "TCP");
  if (link) {
    return verdict(request, "blocked", expected, blockedBy(link));
  }
  const share = `${((100 * lost) / Math.max(1, sent)).toFixed(1)} %, ${String(lost)} of ${String(sent)}, lost`;
  return { ...verdict(request, "failed", expected, answer.ok ? share : answer.error), ...measured };
}
