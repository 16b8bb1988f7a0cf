import { blockedBy, type BrokenWays, serviceTrouble } from "./broken";
import { type JudgedBy, type Verdict, verdict } from "./claims/claim";
import type { PlannedRequest, Request } from "./request";
import type { Topology } from "./topology";

/** What the program's Services are asked: each port, from every node and its `probe-b`. */
export function userServiceRequests({ input, nodes }: Topology): PlannedRequest[] {
  return nodes.flatMap((node) =>
    (["probe-b", "probe-host"] as const).flatMap((probe) =>
      input.services.flatMap(({ namespace, name, clusterIP, ports }) => {
        const service = `${namespace}/${name}`;
        return ports.flatMap(({ port, protocol }): PlannedRequest[] =>
          protocol === "TCP"
            ? [{ node, probe, target: service, service, ask: { kind: "connect", protocol, address: clusterIP, port } }]
            : [],
        );
      }),
    ),
  );
}

/** Judges them by the verdicts on the check's own Service, which has the same way to go. */
export function judgeUserServices(facts: JudgedBy, own: readonly Verdict[], broken: BrokenWays): Verdict[] {
  return facts
    .requestsOf("service")
    .filter(({ service }) => service !== undefined)
    .map((request) => judgeOne(request, facts, own, broken));
}

function judgeOne(request: Request, facts: JudgedBy, own: readonly Verdict[], broken: BrokenWays): Verdict {
  const { node, probe, service } = request;
  const expected = "the ClusterIP takes connections";
  const answer = facts.answerTo(request);
  if (answer.ok) {
    return verdict(request, "passed", expected, "connected");
  }
  if (facts.verdictsOf("endpoints").some(({ status, source }) => source === service && status !== "passed")) {
    return verdict(request, "blocked", expected, `endpoints of ${service ?? ""} failed`);
  }
  const cause = serviceTrouble(own, node, probe);
  const pair = broken.from(probe === "probe-host" ? "node-to-pod" : "pod-to-pod", node);
  const reason = cause ? (cause.status === "blocked" ? cause.seen : undefined) : pair && blockedBy(pair);
  return reason === undefined
    ? verdict(request, "failed", expected, answer.error)
    : verdict(request, "blocked", expected, reason);
}
