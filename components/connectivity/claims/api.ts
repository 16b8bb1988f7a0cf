import { serviceTrouble } from "../broken";
import { type Claim, verdict } from "./claim";

/** The API server is reached by its own ClusterIP, as every controller in a pod reaches it. */
export const api = {
  id: "api",
  title: "the API's own ClusterIP takes connections from pods and nodes",
  waitsOn: ["service"],
  requests: ({ nodes, api: service }) =>
    nodes.flatMap((node) =>
      (["probe-b", "probe-host"] as const).map((probe) => ({
        node,
        probe,
        target: "default/kubernetes",
        ask: { kind: "connect", protocol: "TCP", ...service } as const,
      })),
    ),
  judge: (facts) => {
    const expected = "the ClusterIP takes connections";
    return facts.requestsOf("api").map((request) => {
      const answer = facts.answerTo(request);
      if (answer.ok) {
        return verdict(request, "passed", expected, "connected");
      }
      const cause = serviceTrouble(facts.verdictsOf("service"), request.node, request.probe, ["TCP"]);
      return cause
        ? verdict(request, "blocked", expected, `service from ${cause.source} to ${cause.target} ${cause.status}`)
        : verdict(request, "failed", expected, answer.error);
    });
  },
} as const satisfies Claim;
