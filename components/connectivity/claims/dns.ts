import { blockedBy, BrokenWays, serviceTrouble } from "../broken";
import { PROBE_NAMESPACE, PROBE_SERVICE } from "../probes";
import type { Request } from "../request";
import { type Claim, type JudgedBy, type Verdict, verdict } from "./claim";

/** The cluster's DNS tells the address of the check's own Service on every node. */
export const dns = {
  id: "dns",
  title: "a service's name resolves to its ClusterIP",
  waitsOn: ["pod-to-pod", "service"],
  requests: ({ input, nodes }) => {
    const name = `${PROBE_SERVICE}.${PROBE_NAMESPACE}.svc.${input.dnsDomain}`;
    return nodes.map((node) => ({
      node,
      probe: "probe-b",
      target: name,
      ask: { kind: "resolve", protocol: "UDP", name },
    }));
  },
  judge: (facts) => {
    const broken = new BrokenWays(facts, ["pod-to-pod"]);
    return facts.requestsOf("dns").map((request) => judgeOne(request, facts, broken));
  },
} as const satisfies Claim;

function judgeOne(request: Request, facts: JudgedBy, broken: BrokenWays): Verdict {
  const answer = facts.answerTo(request);
  const expected = facts.topology.input.probeServices[PROBE_SERVICE] ?? "?";
  if (answer.ok) {
    const good = answer.values.length === 1 && answer.values[0] === expected;
    return verdict(request, good ? "passed" : "failed", expected, answer.values.join(", ") || "no address");
  }
  const reason = reasonOf(request, facts, broken);
  return reason === undefined
    ? verdict(request, "failed", expected, answer.error)
    : verdict(request, "blocked", expected, reason);
}

/** Why a name was not answered: a broken way to a node that runs the DNS, or ClusterIPs that are not served. */
function reasonOf({ node }: Request, facts: JudgedBy, broken: BrokenWays): string | undefined {
  const pair = facts.observations.dnsNodes
    .map((to) => broken.between("pod-to-pod", node, to, "UDP"))
    .find((found) => found !== undefined);
  const cause = serviceTrouble(facts.verdictsOf("service"), node, "probe-b", ["UDP"]);
  return pair ? blockedBy(pair) : cause && `service from ${cause.source} to ${cause.target} ${cause.status}`;
}
