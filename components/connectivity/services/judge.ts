import type { CheckedService } from "../../service/checked";
import { blockedBy, type BrokenWays, serviceTrouble } from "../broken";
import { type JudgedBy, sorted, type Status, type Verdict, verdict } from "../claims/claim";
import { isSilence } from "../driver";
import type { Request } from "../request";
import { type SeenService, seenService } from "../topology";
import { portText, serviceText, tellsAffinity } from "./requests";

/** How an answer is judged, or why there is none. */
interface Judged {
  readonly status: Status;
  readonly seen: string;
}

/** Judges the program's Services by the verdicts on the check's own, which has the same way to go. */
export function judgeUserServices(facts: JudgedBy, own: readonly Verdict[], broken: BrokenWays): Verdict[] {
  const requests = facts.requestsOf("service").filter(({ service }) => service !== undefined);
  const atPods = requests
    .filter(({ pod }) => pod !== undefined)
    .map((request) => judgeOne(request, facts, reasonOf(request, own, broken)));
  const deaf = deafPods(atPods);
  const inFront = requests
    .filter(({ pod }) => pod === undefined)
    .map((request) => judgeOne(request, facts, reasonOf(request, own, broken) ?? deaf.get(portOf(request))));
  return [...inFront, ...atPods, ...unproven(facts)];
}

/** The first pod behind each port that does not answer there itself, whatever stands in front of it. */
function deafPods(atPods: readonly Verdict[]): ReadonlyMap<string, string> {
  const failed = atPods.flatMap(({ status, request }) => (status === "failed" && request ? [request] : []));
  return new Map(failed.reverse().map((request) => [portOf(request), blockedBy(request)]));
}

function portOf({ service = "", servicePort = "" }: Request): string {
  return `${service} ${servicePort}`;
}

function judgeOne(request: Request, facts: JudgedBy, reason: string | undefined): Verdict {
  const seen = seenService(facts.topology, request.service ?? "");
  const answer = facts.answerTo(request);
  const judged = answer.ok
    ? judgeAnswer(request, answer.values, facts, seen)
    : judgeSilence(request, answer.error, facts, reason);
  return verdict(request, judged.status, expectedOf(request), judged.seen);
}

function expectedOf(request: Request): string {
  const { ask, proof } = request;
  if (proof === "affinity" && ask.kind === "hostnames") {
    return `one pod answers all of ${String(ask.tries)} requests`;
  }
  const byNode = request.targetNode === undefined ? "the ClusterIP" : "the node's port";
  const what = request.pod === undefined ? byNode : "the pod";
  return ask.protocol === "TCP" ? `${what} takes connections` : `${what} answers`;
}

function judgeAnswer(
  request: Request,
  values: readonly string[],
  facts: JudgedBy,
  seen: SeenService | undefined,
): Judged {
  if (request.ask.kind !== "hostnames") {
    return { status: "passed", seen: "connected" };
  }
  const names = [...new Set(values)];
  if (!answersName(request, facts)) {
    return { status: "passed", seen: "an answer" };
  }
  const wanted = request.pod === undefined ? (seen?.pods ?? []) : [request.pod];
  const known = names.every((name) => wanted.includes(name));
  const good = known && (request.proof !== "affinity" || names.length === 1);
  return { status: good ? "passed" : "failed", seen: `answers from ${sorted(names)}` };
}

/** Judges a request without an answer: what it builds on may be broken, or nobody may have to answer. */
function judgeSilence(request: Request, error: string, facts: JudgedBy, reason: string | undefined): Judged {
  const { service = "" } = request;
  if (facts.verdictsOf("endpoints").some(({ status, source }) => source === service && status !== "passed")) {
    return { status: "blocked", seen: `endpoints of ${service} failed` };
  }
  if (reason !== undefined) {
    return { status: "blocked", seen: reason };
  }
  const notReady = request.pod === undefined ? notReadyPods(service, facts) : [];
  if (notReady.length > 0) {
    const names = sorted(notReady);
    return {
      status: "not-applicable",
      seen: `${service} publishes pods that are not ready, which need not answer: ${names}`,
    };
  }
  if (request.ask.kind === "hostnames" && !answersName(request, facts) && isSilence(error)) {
    return { status: "not-applicable", seen: SILENT_UDP };
  }
  return { status: "failed", seen: error };
}

function notReadyPods(service: string, { topology }: JudgedBy): string[] {
  const places = Object.entries(seenService(topology, service)?.places ?? {});
  return places.filter(([, { ready }]) => !ready).map(([name]) => name);
}

/** Why nothing is said of a port over UDP whose pods do not answer. */
const SILENT_UDP =
  "the pods do not answer what the check sends them over UDP, so that there is no telling whether it arrives";

/** The broken way, or the broken ClusterIPs, that a request without an answer comes from. */
function reasonOf(request: Request, own: readonly Verdict[], broken: BrokenWays): string | undefined {
  const { node, probe, targetNode, ask } = request;
  const way = probe === "probe-host" ? "node-to-pod" : "pod-to-pod";
  if (request.pod !== undefined) {
    const direct = broken.between(way, node, targetNode ?? "", ask.protocol);
    return direct && blockedBy(direct);
  }
  const toNode = targetNode === undefined ? undefined : wayByNode(request, targetNode, broken);
  if (toNode) {
    return blockedBy(toNode);
  }
  const cause = serviceTrouble(own, node, probe);
  const pair = broken.from(way, node);
  return cause ? (cause.status === "blocked" ? cause.seen : undefined) : pair && blockedBy(pair);
}

/** What is broken on the way through a node's port: to the node, or from there to the pods. */
function wayByNode({ node, probe, ask }: Request, by: string, broken: BrokenWays): Request | undefined {
  const toNode = probe === "probe-host" ? undefined : broken.between("pod-to-node", node, by, ask.protocol);
  return toNode ?? broken.from("node-to-pod", by);
}

function serviceOf({ service }: Request, { topology }: JudgedBy): CheckedService | undefined {
  return topology.input.services.find((candidate) => serviceText(candidate) === service);
}

/** Whether the pods behind the port that is asked are known to answer with their names. */
function answersName(request: Request, facts: JudgedBy): boolean {
  const ports = serviceOf(request, facts)?.ports ?? [];
  return ports.find(({ name }) => name === request.servicePort)?.answersName === true;
}

/** What is declared and cannot be proven, each with its reason. */
function unproven({ topology }: JudgedBy): Verdict[] {
  return topology.input.services
    .filter(({ sessionAffinity }) => sessionAffinity === "ClientIP")
    .flatMap((service) => {
      const seen = seenService(topology, serviceText(service));
      return service.ports
        .filter((port) => !tellsAffinity(port, seen))
        .map((port): Verdict => ({
          source: serviceText(service),
          target: portText(service, port),
          protocol: port.protocol,
          status: "not-applicable",
          expected: "one pod answers all requests of a client",
          seen: port.answersName
            ? "with a single pod behind the Service, session affinity cannot be told"
            : "the pods are not known to answer with their names, so that session affinity cannot be told",
        }));
    });
}
