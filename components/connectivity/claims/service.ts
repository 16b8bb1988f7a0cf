import { blockedBy, BrokenWays } from "../broken";
import { PORTS, PROBE_SERVICE } from "../probes";
import { type Request, TRANSPORTS, triesFor } from "../request";
import { podNames } from "../topology";
import { judgeUserServices } from "../services/judge";
import { userServiceRequests } from "../services/requests";
import { type Claim, type JudgedBy, type Verdict, verdict } from "./claim";

/** The check's own Service is answered by all its pods, wherever it is asked; and the program's Services are asked too. */
export const service = {
  id: "service",
  title: "a ClusterIP answers from every ready endpoint and nothing else",
  waitsOn: ["pod-to-pod", "node-to-pod", "pod-to-node", "endpoints"],
  explainedBy: ["settings"],
  cause: ({ request, seen }) =>
    request?.pod === undefined
      ? undefined
      : {
          place: `Service ${request.service ?? ""}`,
          hop: "service",
          text: `its pod ${request.pod} on ${request.targetNode ?? "?"} does not answer on its targetPort${"port" in request.ask ? ` ${String(request.ask.port)}` : ""}: ${seen}`,
        },
  requests: (topology) => {
    const only = podNames(topology.members);
    const members = only.length;
    const address = topology.input.probeServices[PROBE_SERVICE] ?? "";
    const own = topology.nodes.flatMap((node) =>
      (["probe-b", "probe-host"] as const).flatMap((probe) =>
        TRANSPORTS.map((protocol) => ({
          node,
          probe,
          target: PROBE_SERVICE,
          answers: members,
          only,
          ask: {
            kind: "hostnames",
            protocol,
            address,
            port: PORTS.service[protocol],
            tries: triesFor(members),
          } as const,
        })),
      ),
    );
    return [...own, ...userServiceRequests(topology)];
  },
  judge: (facts) => {
    const broken = new BrokenWays(facts);
    const names = podNames(facts.topology.members);
    const own = facts
      .requestsOf("service")
      .filter((request) => request.service === undefined)
      .map((request) => judgeOne(request, names, facts, broken));
    return [...own, ...judgeUserServices(facts, own, broken)];
  },
} as const satisfies Claim;

function judgeOne(
  request: Request,
  names: readonly string[],
  { topology, answerTo }: JudgedBy,
  broken: BrokenWays,
): Verdict {
  const answer = answerTo(request);
  const expected = `answers from ${String(names.length)} endpoints: ${names.join(", ")}`;
  const answered = new Set(answer.ok ? answer.values : []);
  const values = [...answered].sort();
  const missing = names.filter((name) => !answered.has(name));
  const errors = answer.ok ? answer.errors : [answer.error];
  const reason = errors.length > 0 && missing.length > 0 ? ` (${errors[0] ?? ""})` : "";
  const seen = `${values.length > 0 ? `answers from ${values.join(", ")}` : "no answer"}${reason}`;
  const known = new Set(names);
  if (values.some((value) => !known.has(value))) {
    return verdict(request, "failed", expected, seen);
  }
  if (missing.length === 0) {
    return verdict(request, "passed", expected, seen);
  }
  const excuse = excuseOf(request, missing, values.length, topology, broken);
  return excuse ? verdict(request, "blocked", expected, blockedBy(excuse)) : verdict(request, "failed", expected, seen);
}

/** The broken way that explains why some endpoints did not answer. */
function excuseOf(
  { node, probe, ask }: Request,
  missing: readonly string[],
  answered: number,
  topology: JudgedBy["topology"],
  broken: BrokenWays,
): Request | undefined {
  const cut = probe === "probe-host" ? undefined : broken.isolated(node, ask.protocol);
  if (cut) {
    return cut;
  }
  const way = probe === "probe-host" ? "node-to-pod" : "pod-to-pod";
  const members = topology.members.filter(({ name }) => missing.includes(name));
  const ways = members.map((member) => broken.between(way, node, member.node, ask.protocol));
  // With no answer at all, the requests that a broken pair swallowed have used up the time of the others.
  return answered === 0 || ways.every((found) => found !== undefined) ? ways.find((found) => found) : undefined;
}
