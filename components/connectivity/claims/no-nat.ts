import { grouped } from "../../args/grouped";
import type { Answer } from "../driver";
import type { Facts } from "../facts";
import { judgeEach } from "../answered";
import { nameOf, type ProbePod, type Request, TRANSPORTS } from "../request";
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
  judge: (facts) => {
    const asked = grouped(WAYS.flatMap(facts.requestsOf), ({ source, ask }) => `${source} ${ask.protocol}`);
    return facts.topology.askers.flatMap((asker) =>
      TRANSPORTS.flatMap((protocol) =>
        judgeAsker(asker, asked.get(`${nameOf(asker.node, asker.probe)} ${protocol}`) ?? [], facts),
      ),
    );
  },
} as const satisfies Claim;

/** The verdicts on what one asker asked by one protocol. */
function judgeAsker(
  { node, probe, ip }: ProbePod,
  requests: readonly Request[],
  { topology, observations, answerTo }: Facts,
): Verdict[] {
  const own = probe === "probe-host" ? (observations.addresses[node] ?? []) : [ip];
  const expected = `${nameOf(node, probe)} is seen as ${own.join(" or ")}`;
  const asExpected = new Map(own.map((value) => [value, `it is seen as ${value}`]));
  const judge = (request: Request, answer: Answer): Verdict => {
    if (!answer.ok) {
      const { claim, source, target } = request;
      return verdict(request, "blocked", expected, `${claim} from ${source} to ${target} failed`);
    }
    const value = answer.values[0] ?? "?";
    const seen = asExpected.get(value);
    if (topology.input.podsAlone && probe === "probe-host" && seen === undefined) {
      const words = `it is seen as ${value}; whether that is the node's own too is not known without a shell on it`;
      return verdict(request, "not-applicable", expected, words);
    }
    return verdict(request, seen ? "passed" : "failed", expected, seen ?? `it is seen as ${value}`);
  };
  return judgeEach(requests, answerTo, judge);
}
