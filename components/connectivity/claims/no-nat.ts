import type { Facts } from "../facts";
import { nameOf, type Request, TRANSPORTS } from "../request";
import { type Claim, type Verdict, verdict } from "./claim";

const WAYS = ["pod-to-pod", "node-to-pod", "pod-to-node"] as const;

/** Whoever answers on a way between pods and nodes tells by which address it was asked; it asks nothing of its own. */
export const noNat = {
  id: "no-nat",
  title: "whoever answers sees the sender's own address",
  waitsOn: WAYS,
  betweenNodes: true,
  exemption: { promise: "no-nat-to-nodes", covers: ({ request }) => request?.claim === "pod-to-node" },
  requests: () => [],
  judge: (facts) => inOrder(facts).map((request) => judgeOne(request, facts)),
} as const satisfies Claim;

/** The ways' requests, asker by asker. */
function inOrder({ topology, requestsOf }: Facts): Request[] {
  const rank = new Map(topology.askers.map(({ node, probe }, index) => [nameOf(node, probe), index]));
  const rankOf = ({ source, ask }: Request): number =>
    (rank.get(source) ?? 0) * TRANSPORTS.length + TRANSPORTS.findIndex((protocol) => protocol === ask.protocol);
  return WAYS.flatMap(requestsOf).sort((a, b) => rankOf(a) - rankOf(b));
}

function judgeOne(request: Request, { topology, observations, answerTo }: Facts): Verdict {
  const { node, probe, source, target, claim } = request;
  const own = probe === "probe-host" ? (observations.addresses[node] ?? []) : [topology.podOf(node, probe)?.ip ?? "?"];
  const expected = `${source} is seen as ${own.join(" or ")}`;
  const answer = answerTo(request);
  if (!answer.ok) {
    return verdict(request, "blocked", expected, `${claim} from ${source} to ${target} failed`);
  }
  const value = answer.values[0] ?? "?";
  if (topology.input.podsAlone && probe === "probe-host" && !own.includes(value)) {
    const seen = `it is seen as ${value}; whether that is the node's own too is not known without a shell on it`;
    return verdict(request, "not-applicable", expected, seen);
  }
  return verdict(request, own.includes(value) ? "passed" : "failed", expected, `it is seen as ${value}`);
}
