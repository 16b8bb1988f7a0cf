import { blockedBy, BrokenWays, serviceTrouble } from "../broken";
import { HAIRPIN_SERVICE, PORTS } from "../probes";
import { waitForMembers } from "../members";
import { type Request, TRANSPORTS } from "../request";
import { type Claim, type JudgedBy, type Verdict, verdict } from "./claim";

/**
 * Each node's `probe-b` asks itself by way of a ClusterIP. One Service serves them all: its traffic stays on the node it comes
 * from (https://kubernetes.io/docs/concepts/services-networking/service-traffic-policy/), where it has that one pod.
 */
export const hairpin = {
  id: "hairpin",
  title: "a service's only pod reaches itself through the ClusterIP",
  waitsOn: ["pod-to-pod", "service"],
  explainedBy: ["bridge", "settings"],
  prepare: async (client, pods) => {
    const own = pods.filter(({ probe }) => probe === "probe-b");
    await waitForMembers(
      client,
      HAIRPIN_SERVICE,
      own.map(({ name }) => name),
    );
  },
  requests: ({ input, nodes, podOf }) =>
    nodes.flatMap((node) =>
      TRANSPORTS.map((protocol) => ({
        node,
        probe: "probe-b" as const,
        targetNode: node,
        target: HAIRPIN_SERVICE,
        only: [podOf(node, "probe-b")?.name ?? ""],
        ask: {
          kind: "hostnames",
          protocol,
          address: input.probeServices[HAIRPIN_SERVICE] ?? "",
          port: PORTS.service[protocol],
          tries: 1,
        } as const,
      })),
    ),
  judge: (facts) => {
    const broken = new BrokenWays(facts, ["pod-to-pod"]);
    return facts.requestsOf("hairpin").map((request) => judgeOne(request, facts, broken));
  },
} as const satisfies Claim;

function judgeOne(request: Request, facts: JudgedBy, broken: BrokenWays): Verdict {
  const { node, source, ask } = request;
  const answer = facts.answerTo(request);
  const name = facts.topology.podOf(node, "probe-b")?.name ?? "?";
  const expected = `${source} answers itself`;
  const seen = answer.ok ? `an answer of ${answer.values.join(", ")}` : answer.error;
  if (answer.ok && answer.values.every((value) => value === name)) {
    return verdict(request, "passed", expected, seen);
  }
  const cut = broken.isolated(node, ask.protocol);
  if (cut) {
    return verdict(request, "blocked", expected, blockedBy(cut));
  }
  const cause = serviceTrouble(facts.verdictsOf("service"), node, "probe-b", [ask.protocol]);
  return cause?.status === "failed"
    ? verdict(request, "blocked", expected, `service from ${cause.source} to ${cause.target} failed`)
    : verdict(request, "failed", expected, seen);
}
