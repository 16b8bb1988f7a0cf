import { selectorText } from "../service/selector";
import type { Claim, Finding, Status } from "./claims";
import type { Answer, SeenProbe } from "./driver";
import type { CheckInput } from "./input";
import { nameOf, type ProbePod, protocolOf, type Request } from "./matrix";
import { PROBE_SERVICE } from "./probes";

/** A Service of the program as it was found. */
export interface SeenService {
  readonly name: string;
  /** Selector that the Service has now. */
  readonly selector: Readonly<Record<string, string>> | undefined;
  /** Ready pods that the declared selector matches. */
  readonly pods: readonly string[];
  /** Names of its ready endpoints. */
  readonly endpoints: readonly string[];
}

/** What came of taking one pod out of the check's Service and putting it back. */
export interface Relabelling {
  /** The pod that was taken out. */
  readonly pod: string;
  /** All pods of the Service, and its endpoints before, while the pod was out, and after. */
  readonly members: readonly string[];
  readonly before: readonly string[];
  readonly during: readonly string[];
  readonly after: readonly string[];
  /** Names that answered each node's requests while the pod was out, by node; undefined when none did. */
  readonly answered: Readonly<Record<string, readonly string[] | undefined>>;
}

/** Everything one run saw. */
export interface Observations {
  readonly pods: readonly ProbePod[];
  /** Probes as their own nodes see them, by node. */
  readonly seen: Readonly<Record<string, readonly SeenProbe[]>>;
  /** Each node's own addresses: whatever its network gave it, it may be seen by any of them. */
  readonly addresses: Readonly<Record<string, readonly string[]>>;
  readonly requests: readonly Request[];
  readonly answers: ReadonlyMap<string, Answer>;
  readonly services: readonly SeenService[];
  readonly relabelling: Relabelling;
  /** Nodes that run the cluster's DNS. */
  readonly dnsNodes: readonly string[];
}

const NO_ANSWER: Answer = { ok: false, error: "the request was not made" };

/**
 * Turns what was seen into findings. A claim that builds on another is blocked where that one is broken, so that one fault
 * shows as one fault: what needs a pair of pods waits for the pair, and what needs a ClusterIP for the ClusterIP.
 */
export function judge(input: CheckInput, seen: Observations): Finding[] {
  const findings: Finding[] = [];
  const add = (
    claim: Claim,
    request: Pick<Request, "source" | "target"> & Partial<Pick<Request, "ask">>,
    status: Status,
    expected: string,
    what: string,
  ): void => {
    findings.push({
      claim,
      source: request.source,
      target: request.target,
      ...(request.ask && { protocol: request.ask.protocol }),
      status,
      expected,
      seen: what,
    });
  };
  const answerOf = (request: Request): Answer => seen.answers.get(request.id) ?? NO_ANSWER;
  const of = (...groups: Request["group"][]): Request[] => seen.requests.filter(({ group }) => groups.includes(group));

  for (const request of of("localhost")) {
    const answer = answerOf(request);
    const name = seen.pods.find((pod) => pod.node === request.node && pod.probe === request.probe)?.name ?? "?";
    const good = answer.ok && answer.values.every((value) => value === name);
    const what = answer.ok ? `an answer of ${answer.values.join(", ")}` : answer.error;
    add("localhost", request, good ? "passed" : "failed", `the pod's other container answers on 127.0.0.1`, what);
  }

  const broken = new Map<string, Request>();
  for (const request of of("pod-to-pod", "node-to-pod", "pod-to-node")) {
    const answer = answerOf(request);
    const claim = request.group as Claim;
    add(claim, request, answer.ok ? "passed" : "failed", "an answer", answer.ok ? "an answer" : answer.error);
    const pod = seen.pods.find(({ node, probe }) => node === request.node && probe === request.probe);
    const own = request.probe === "probe-host" ? (seen.addresses[request.node] ?? []) : [pod?.ip ?? "?"];
    const exempt = input.network.notApplicable.find(
      (entry) => entry.claim === "no-nat" && (entry.group === undefined || entry.group === request.group),
    );
    const expected = `${request.source} is seen as ${own.join(" or ")}`;
    if (!answer.ok) {
      broken.set(key(request.node, request.targetNode, request.ask.protocol, request.group), request);
      add("no-nat", request, "blocked", expected, `${claim} from ${request.source} to ${request.target} failed`);
    } else {
      const value = answer.values[0] ?? "?";
      if (exempt && !own.includes(value)) {
        add("no-nat", request, "not-applicable", expected, exempt.reason);
        continue;
      }
      add("no-nat", request, own.includes(value) ? "passed" : "failed", expected, `it is seen as ${value}`);
    }
  }

  for (const pod of seen.pods.filter(({ probe }) => probe !== "probe-host")) {
    const source = nameOf(pod.node, pod.probe);
    const process = seen.seen[pod.node]?.find(({ probe, podName }) => probe === pod.probe && podName === pod.name);
    const expected = `${source} has ${pod.ip} in its status, its environment and on its interface`;
    const request = { source, target: source };
    if (!process) {
      add("pod-ip", request, "failed", expected, "no process of it on its node");
      continue;
    }
    const views = [process.downwardIp, ...process.interfaceIps];
    const own = views.length > 1 && views.every((view) => view === pod.ip);
    const others = findings.filter((finding) => finding.claim === "no-nat" && finding.source === source);
    const misseen = others.find(({ status }) => status === "failed");
    if (!own) {
      const what = `${process.downwardIp} in its environment, ${process.interfaceIps.join(" ") || "none"} on its interface`;
      add("pod-ip", request, "failed", expected, what);
    } else if (misseen) {
      add("pod-ip", request, "blocked", expected, `no-nat from ${source} to ${misseen.target} failed`);
    } else {
      add("pod-ip", request, "passed", expected, views.join(", "));
    }
  }

  const packets = of("mtu");
  for (const request of packets) {
    const answer = answerOf(request);
    if (request.ask.kind !== "packet") {
      continue;
    }
    const { size } = request.ask;
    const mtu = input.nodes[request.node]?.mtu ?? 0;
    const fits = size <= mtu;
    const expected = fits
      ? `a packet of ${String(size)} bytes passes unfragmented`
      : `one of ${String(size)} bytes does not`;
    const what = answer.ok ? "it passed" : answer.error;
    const link = broken.get(key(request.node, request.targetNode, "TCP", "pod-to-pod"));
    if (fits && !answer.ok && link) {
      add("mtu", request, "blocked", expected, blockedBy(link));
    } else {
      add("mtu", request, answer.ok === fits ? "passed" : "failed", expected, what);
    }
  }

  const isolated = isolatedNodes(input, broken);
  const badService = new Map<string, Finding>();
  const members = seen.pods.filter(({ probe }) => probe === "probe-a");
  for (const request of of("service")) {
    const answer = answerOf(request);
    const names = members.map(({ name }) => name).sort();
    const expected = `answers from ${String(names.length)} endpoints: ${names.join(", ")}`;
    const values = answer.ok ? [...new Set(answer.values)].sort() : [];
    const foreign = values.filter((value) => !names.includes(value));
    const missing = members.filter(({ name }) => !values.includes(name));
    const protocol = request.ask.protocol;
    const group = request.probe === "probe-host" ? "node-to-pod" : "pod-to-pod";
    const unreachable = missing.map((member) => broken.get(key(request.node, member.node, protocol, group)));
    const excuse = unreachable.find((pair) => pair !== undefined);
    const cut = request.probe === "probe-host" ? undefined : isolated.get(`${request.node} ${protocol}`);
    const errors = answer.ok ? answer.errors : [answer.error];
    const what = `${values.length > 0 ? `answers from ${values.join(", ")}` : "no answer"}${errors.length > 0 && missing.length > 0 ? ` (${errors[0] ?? ""})` : ""}`;
    if (foreign.length > 0) {
      add("service", request, "failed", expected, what);
    } else if (missing.length === 0) {
      add("service", request, "passed", expected, what);
    } else if (cut !== undefined) {
      add("service", request, "blocked", expected, blockedBy(cut));
    } else if (excuse && (values.length === 0 || unreachable.every((pair) => pair !== undefined))) {
      // With no answer at all, the requests that a broken pair swallowed have used up the time of the others.
      add("service", request, "blocked", expected, blockedBy(excuse));
    } else {
      add("service", request, "failed", expected, what);
    }
    const last = findings.at(-1);
    if (last && last.status !== "passed") {
      badService.set(`${request.node} ${request.probe} ${protocol}`, last);
    }
  }
  const serviceTrouble = (node: string, probe: string): Finding | undefined =>
    badService.get(`${node} ${probe} TCP`) ?? badService.get(`${node} ${probe} UDP`);

  const badSelectors = new Set<string>();
  for (const declared of input.services) {
    const name = `${declared.namespace}/${declared.name}`;
    const service = seen.services.find((found) => found.name === name);
    const request = { source: name, target: text(declared.selector) };
    const pods = service?.pods ?? [];
    const endpoints = service?.endpoints ?? [];
    const expected = `endpoints are the ready pods with ${text(declared.selector)}: ${pods.length > 0 ? sorted(pods) : "at least one"}`;
    const same = pods.length > 0 && sorted(pods) === sorted(endpoints);
    const selector = service?.selector;
    const what = `${service ? "" : "no such Service; "}${selector && text(selector) !== text(declared.selector) ? `it selects ${text(selector)}; ` : ""}endpoints are ${sorted(endpoints)}`;
    add("endpoints", request, same ? "passed" : "failed", expected, what);
    if (!same) {
      badSelectors.add(name);
    }
  }
  for (const request of of("user")) {
    const answer = answerOf(request);
    const expected = "the ClusterIP takes connections";
    if (answer.ok) {
      add("service", request, "passed", expected, "connected");
    } else if (badSelectors.has(request.target)) {
      add("service", request, "blocked", expected, `endpoints of ${request.target} failed`);
    } else {
      const cause = serviceTrouble(request.node, request.probe);
      const pair = firstBroken(broken, request.node, request.probe === "probe-host" ? "node-to-pod" : "pod-to-pod");
      if (cause?.status === "blocked" || (pair && cause === undefined)) {
        add("service", request, "blocked", expected, cause?.seen ?? blockedBy(pair));
      } else {
        add("service", request, "failed", expected, answer.error);
      }
    }
  }

  for (const request of of("hairpin")) {
    const answer = answerOf(request);
    const name = seen.pods.find(({ node, probe }) => node === request.node && probe === "probe-b")?.name ?? "?";
    const good = answer.ok && answer.values.every((value) => value === name);
    const expected = `${request.source} answers itself`;
    const what = answer.ok ? `an answer of ${answer.values.join(", ")}` : answer.error;
    const cause = badService.get(`${request.node} probe-b ${request.ask.protocol}`);
    const cut = isolated.get(`${request.node} ${request.ask.protocol}`);
    if (good) {
      add("hairpin", request, "passed", expected, what);
    } else if (cut) {
      add("hairpin", request, "blocked", expected, blockedBy(cut));
    } else if (cause?.status === "failed") {
      add("hairpin", request, "blocked", expected, `service from ${cause.source} to ${cause.target} failed`);
    } else {
      add("hairpin", request, "failed", expected, what);
    }
  }

  findings.push(...judgeRelabelling(seen.relabelling, (node) => serviceTrouble(node, "probe-b")));

  for (const request of of("dns")) {
    const answer = answerOf(request);
    const clusterIp = input.probeServices[PROBE_SERVICE] ?? "?";
    const good = answer.ok && answer.values.length === 1 && answer.values[0] === clusterIp;
    const expected = clusterIp;
    const cause = badService.get(`${request.node} probe-b UDP`);
    const pair = seen.dnsNodes
      .map((node) => broken.get(key(request.node, node, "UDP", "pod-to-pod")))
      .find((found) => found !== undefined);
    if (good) {
      add("dns", request, "passed", expected, answer.values.join(", "));
    } else if (answer.ok) {
      add("dns", request, "failed", expected, answer.values.join(", ") || "no address");
    } else if (pair) {
      add("dns", request, "blocked", expected, blockedBy(pair));
    } else if (cause) {
      add("dns", request, "blocked", expected, `service from ${cause.source} to ${cause.target} ${cause.status}`);
    } else {
      add("dns", request, "failed", expected, answer.error);
    }
  }
  return findings;
}

function judgeRelabelling(seen: Relabelling, trouble: (node: string) => Finding | undefined): Finding[] {
  const rest = seen.members.filter((name) => name !== seen.pod);
  const stages: [string, readonly string[], readonly string[]][] = [
    ["before", seen.members, seen.before],
    [`without ${seen.pod}`, rest, seen.during],
    ["put back", seen.members, seen.after],
  ];
  const slices = stages.map(([stage, expected, found]): Finding => ({
    claim: "endpoints",
    source: PROBE_SERVICE,
    target: stage,
    status: sorted(expected) === sorted(found) ? "passed" : "failed",
    expected: `endpoints ${sorted(expected)}`,
    seen: `endpoints ${sorted(found)}`,
  }));
  const answers = Object.entries(seen.answered).map(([node, names]): Finding => {
    const cause = trouble(node);
    const foreign = (names ?? []).filter((name) => !rest.includes(name));
    const good = rest.length === 0 ? (names ?? []).length === 0 : names !== undefined && foreign.length === 0;
    return {
      claim: "endpoints",
      source: nameOf(node, "probe-b"),
      target: `without ${seen.pod}`,
      protocol: "TCP",
      status: good ? "passed" : cause && foreign.length === 0 ? "blocked" : "failed",
      expected: `answers from ${sorted(rest)} only`,
      seen:
        good || !cause || foreign.length > 0
          ? `answers from ${sorted(names ?? [])}`
          : `service from ${cause.source} ${cause.status}`,
    };
  });
  return [...slices, ...answers];
}

function sorted(names: readonly string[]): string {
  return [...names].sort().join(", ") || "none";
}

function key(node: string, targetNode: string | undefined, protocol: string, group: string): string {
  return `${group} ${node} ${targetNode ?? ""} ${protocol}`;
}

function blockedBy(request: Request | undefined): string {
  return request
    ? `${request.group} from ${request.source} to ${request.target} over ${protocolOf(request)} failed`
    : "";
}

function firstBroken(broken: ReadonlyMap<string, Request>, node: string, group: string): Request | undefined {
  return [...broken.values()].find((request) => request.group === group && request.node === node);
}

/**
 * Nodes whose pods reach no other node's. A pod's way to a ClusterIP begins like its way to another node, at its gateway, so
 * nothing can be said of Services from there.
 */
function isolatedNodes(input: CheckInput, broken: ReadonlyMap<string, Request>): Map<string, Request> {
  const isolated = new Map<string, Request>();
  const nodes = Object.keys(input.nodes);
  for (const node of nodes) {
    for (const protocol of ["TCP", "UDP"]) {
      const others = nodes.filter((other) => other !== node);
      const pairs = others.map((other) => broken.get(key(node, other, protocol, "pod-to-pod")));
      const first = pairs[0];
      if (first && pairs.every((pair) => pair !== undefined)) {
        isolated.set(`${node} ${protocol}`, first);
      }
    }
  }
  return isolated;
}

function text(selector: Readonly<Record<string, string>>): string {
  return selectorText(selector).split(",").sort().join(",");
}
