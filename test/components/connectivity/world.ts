import { createHash } from "node:crypto";
import type { Answer, SeenProbe } from "../../../components/connectivity/driver";
import type { CheckInput } from "../../../components/connectivity/input";
import type { ClaimId } from "../../../components/connectivity/claims";
import type { Status } from "../../../components/connectivity/claims/claim";
import { judgeRelabelling, type Relabelling } from "../../../components/connectivity/claims/endpoints";
import { type Facts, factsOf } from "../../../components/connectivity/facts";
import { judge, type Verdicts } from "../../../components/connectivity/judge";
import type { ListedPod } from "../../../components/connectivity/pods";
import { requestForOne } from "../../../components/connectivity/answered";
import { answerOfAll } from "../../../components/connectivity/reach";
import { planRequests } from "../../../components/connectivity/plan";
import type { NodeStatus } from "../../../components/node/status";
import { HAIRPIN_SERVICE, PROBES } from "../../../components/connectivity/probes";
import { type Finding, findingsOf as asFindings } from "../../../components/connectivity/report/finding";
import type { Report } from "../../../components/connectivity/report/report";
import type { ProbePod, Request } from "../../../components/connectivity/request";
import { type Around, type SeenService, type Topology, topologyOf } from "../../../components/connectivity/topology";

/** What is different in a world from one where everything holds. */
export interface Change {
  readonly nodes?: readonly string[];
  readonly coverage?: CheckInput["coverage"];
  /** What draws the sample; 1 by default. */
  readonly seed?: number;
  readonly services?: CheckInput["services"];
  readonly notApplicable?: CheckInput["network"]["notApplicable"];
  /** Another answer than the good one, for some requests. */
  readonly answer?: (request: Request, good: Answer) => Answer;
  readonly seen?: (node: string, probes: readonly SeenProbe[]) => readonly SeenProbe[];
  readonly found?: readonly (Omit<SeenService, "places"> & Partial<SeenService>)[];
  readonly relabelling?: (good: Relabelling) => Relabelling;
  readonly dnsNodes?: readonly string[];
  readonly dnsTrouble?: string;
  /** Other pods of the cluster than those that are there. */
  readonly listed?: (good: readonly ListedPod[]) => readonly ListedPod[];
  /** Other ways of the nodes to the peer outside the cluster. */
  readonly ways?: (good: Around["outside"]["ways"]) => Around["outside"]["ways"];
  /** Another status of a node than the sound one. */
  readonly status?: (node: string, good: NodeStatus) => NodeStatus | undefined;
}

/** One run's input and what it saw. */
export interface World {
  readonly input: CheckInput;
  readonly pods: readonly ProbePod[];
  readonly requests: readonly Request[];
  readonly answers: ReadonlyMap<string, Answer>;
  readonly facts: Facts;
  readonly relabelling: Relabelling;
}

/** The demo service of the ready program. */
export const WEB: CheckInput["services"][number] = {
  namespace: "default",
  name: "web",
  type: "ClusterIP",
  clusterIP: "10.96.7.7",
  selector: { app: "web" },
  sessionAffinity: "None",
  publishNotReadyAddresses: false,
  ports: [{ name: "main", port: 80, targetPort: 8080, protocol: "TCP", answersName: true }],
};

/** That service with a pod on the first node and one on the next, where there is one. */
function foundWeb(nodes: readonly string[]): SeenService {
  const place = (slot: number, ip: string) => ({ node: nodes[slot] ?? nodes[0] ?? "", ip, ready: true });
  return {
    name: "default/web",
    selector: { app: "web" },
    pods: ["web-1", "web-2"],
    endpoints: ["web-2", "web-1"],
    places: { "web-1": place(0, "10.244.0.9"), "web-2": place(1, "10.244.1.9") },
  };
}

/** What a report says of a run that asks everything. */
export const FULL: Report["coverage"] = { kind: "full", asked: [], notAsked: [] };

/** An answer of these values. */
export const ok = (...values: string[]): Answer => ({ ok: true, values, errors: [] });
/** No answer. */
export const silent: Answer = { ok: false, error: "no answer within 1.5 s" };

const PROBE_IP = "10.96.1.1";
/** What is asked beside nodes and Services: the API's own ClusterIP. */
export const AROUND: Around = {
  api: { address: "10.96.0.1", port: 443 },
  dnsPods: [],
  outside: { port: 40_000, nonce: "0123456789abcdef", ways: {} },
};
const second = { "probe-a": 2, "probe-b": 3 } as const;

function inputOf(change: Change): CheckInput {
  const { nodes = ["cp", "w1", "w2"], services = [WEB], notApplicable = [], coverage, seed = 1 } = change;
  return {
    kubeconfig: "",
    dnsDomain: "cluster.local",
    nodes: Object.fromEntries(
      nodes.map((name, slot) => [
        name,
        {
          internalIp: `192.0.${String(2 + ((10 + slot) >> 8))}.${String((10 + slot) % 256)}`,
          podCidr: `${subnetOf(slot)}.0/24`,
          mtu: 1500,
          works: { network: { work: "0123456789abcdef", resource: `network-on-${name}` } },
        },
      ]),
    ),
    connections: {},
    podsAlone: false,
    image: "agnhost",
    probeServices: Object.fromEntries([
      ["probe", PROBE_IP],
      [HAIRPIN_SERVICE, "10.96.2.1"],
    ]),
    services,
    network: { id: "bridge", conflist: "10-podnet.conflist", enforcesPolicy: false, notApplicable },
    coverage,
    seed,
    readyTimeout: 1,
  };
}

/** The first three numbers of a node's pod CIDR. */
function subnetOf(slot: number): string {
  return `10.${String(244 + Math.max(0, slot >> 8))}.${String(slot % 256)}`;
}

function podsOf(input: CheckInput): ProbePod[] {
  return Object.entries(input.nodes).flatMap(([node, { internalIp }], slot) =>
    PROBES.map((probe) => ({
      probe,
      node,
      name: `${probe}-${node}`,
      ip: probe === "probe-host" ? internalIp : `${subnetOf(slot)}.${String(second[probe])}`,
    })),
  );
}

/** The status of a node on which everything is as podnet made it. */
function goodStatus(node: string, input: CheckInput): NodeStatus {
  const routes = Object.entries(input.nodes)
    .filter(([name]) => name !== node)
    .map(([, { podCidr, internalIp }]) => `${podCidr} via ${internalIp}`);
  return {
    owner: { id: "11111111-2222-3333-4444-555555555555", node, cluster: "demo" },
    program: "0123456789abcdef",
    works: { network: { work: "0123456789abcdef", applied: 1 } },
    installed: {},
    files: [
      { path: "/etc/cni/net.d/10-podnet.conflist", sha256: "a".repeat(64), now: "as-made" },
      { path: "/usr/local/bin/kubelet", sha256: "b".repeat(64), now: "unread" },
    ],
    units: ["containerd", "kubelet", "podnet-network"].map((name) => ({ name, active: "active", enabled: "enabled" })),
    sysctls: [
      { key: "net.ipv4.ip_forward", wanted: "1", now: "1", before: "0" },
      { key: "net.bridge.bridge-nf-call-iptables", wanted: "1", now: "1", before: null },
    ],
    overruled: [],
    network: { id: "bridge", kind: "bridge", podCidr: "10.244.0.0/16", parameters: [] },
    conflists: ["10-podnet.conflist"],
    routes: {
      wanted: routes,
      now: routes,
      taken: routes.flatMap((route) => [1, 254].map((last) => route.replace(/0\/24/, String(last)))),
    },
    bridge: {
      name: "cni0",
      up: true,
      addresses: [(input.nodes[node]?.podCidr ?? "").replace("0/24", "1/24")],
      ports: ["veth1", "veth2"].map((name) => ({ name, up: true, hairpin: true, isolated: false })),
    },
    egress: { wanted: true, now: "as-made" },
    forward: { drops: false, accepted: false },
    mended: [],
    links: [],
  };
}

/** What a network where everything holds answers. */
function goodAnswer(request: Request, { input, members, podOf }: Topology, found: readonly SeenService[]): Answer {
  const { node, probe, ask, service } = request;
  const seen = found.find(({ name }) => name === service);
  if (seen && ask.kind === "hostnames") {
    return ok(request.pod ?? seen.pods[0] ?? "");
  }
  if (seen && ask.kind === "resolve") {
    return ok(...Object.values(seen.places).map(({ ip }) => ip));
  }
  const own = podOf(node, probe);
  switch (ask.kind) {
    case "clientip":
      return ok(own?.ip ?? "");
    case "hostnames":
      return ask.address === "127.0.0.1" || ask.address === input.probeServices[HAIRPIN_SERVICE]
        ? ok(own?.name ?? "")
        : ok(...members.map(({ name }) => name));
    case "reach":
      return ok(own?.ip ?? "");
    case "connect":
      return ok("connected");
    case "outside":
      return ok(input.nodes[node]?.internalIp ?? "");
    case "fragments":
      return ok(String(ask.size));
    case "loss":
      return ok(`${String(ask.count)}/${String(ask.count)}`, "0.05 ms");
    case "packet":
      return ask.size <= 1500 ? ok(String(ask.size)) : { ok: false, error: "too long for the link" };
    case "resolve":
      return ok(PROBE_IP);
  }
}

function goodRelabelling(topology: Topology): Relabelling {
  const { nodes } = topology;
  const members = topology.members.map(({ name }) => name);
  const [pod = "", ...rest] = members;
  return {
    pod,
    members,
    before: members,
    during: rest,
    after: members,
    answered: Object.fromEntries(nodes.map((node) => [node, rest.length === 0 ? undefined : rest])),
  };
}

/** What a run in a world is planned from. */
export function placesOf(change: Change = {}) {
  const input = inputOf(change);
  const pods = podsOf(input);
  const nodes = Object.keys(input.nodes);
  const found = (change.found ?? [foundWeb(nodes)]).map((service) => ({ places: {}, ...service }));
  const dnsPods = (change.dnsNodes ?? ["cp"]).map((node, index) => ({
    name: `coredns-${String(index + 1)}`,
    node,
    ip: `${subnetOf(nodes.indexOf(node))}.${String(20 + index)}`,
  }));
  const ways = Object.fromEntries(
    Object.entries(input.nodes).map(([node, { internalIp }]) => [node, { address: "192.0.2.1", seenAs: internalIp }]),
  );
  const outside = { ...AROUND.outside, ways: change.ways?.(ways) ?? ways };
  const topology = topologyOf(input, pods, found, { ...AROUND, dnsPods, outside });
  return { input, pods, nodes, found, dnsPods, topology };
}

/** A run in a world where everything holds but for the change. */
export function world(change: Change = {}): World {
  const { input, pods, nodes, found, dnsPods, topology } = placesOf(change);
  const listed = [
    ...pods
      .filter(({ probe }) => probe !== "probe-host")
      .map(({ node, name, ip }) => ({ name: `podnet-check/${name}`, node, ip })),
    ...dnsPods.map(({ name, node, ip }) => ({ name: `kube-system/${name}`, node, ip })),
  ];
  const requests = planRequests(topology);
  const answers = new Map(
    requests.map((request) => {
      const good = goodAnswer(request, topology, found);
      const { ask } = request;
      const told = (one: Request): Answer => change.answer?.(one, good) ?? good;
      return [
        request.id,
        ask.kind === "reach" ? answerOfAll(ask.to, (pod) => told(requestForOne(request, ask, pod, 0))) : told(request),
      ];
    }),
  );
  const seen = Object.fromEntries(
    nodes.map((node) => {
      const probes = pods
        .filter((pod) => pod.node === node)
        .map(({ probe, ip, name }) => ({ probe, pid: 1, downwardIp: ip, interfaceIps: [ip], podName: name }));
      return [node, change.seen?.(node, probes) ?? probes];
    }),
  );
  const good = goodRelabelling(topology);
  return {
    input,
    pods,
    requests,
    answers,
    facts: factsOf(topology, {
      seen,
      addresses: Object.fromEntries(
        Object.entries(input.nodes).map(([node, { internalIp, podCidr }]) => [
          node,
          ["127.0.0.1", internalIp, (podCidr ?? "").replace("0/24", "1")],
        ]),
      ),
      statuses: Object.fromEntries(
        nodes.flatMap((node) => {
          const good = goodStatus(node, input);
          const status = change.status ? change.status(node, good) : good;
          return status ? [[node, status]] : [];
        }),
      ),
      requests,
      answers,
      pods: change.listed?.(listed) ?? listed,
      dns: { nodes: change.dnsNodes ?? ["cp"], pods: dnsPods, trouble: change.dnsTrouble },
    }),
    relabelling: change.relabelling?.(good) ?? good,
  };
}

/** All verdicts of a run, but for those of NetworkPolicy. */
export function verdictsOf(change: Change = {}): Verdicts {
  const { facts, relabelling } = world(change);
  const verdicts = judge(facts);
  const own = judgeRelabelling(relabelling, verdicts.get("service") ?? []);
  return new Map([...verdicts, ["endpoints", [...(verdicts.get("endpoints") ?? []), ...own]]]);
}

/** All findings of a run, but for those of NetworkPolicy. */
export function findingsOf(change: Change = {}): Finding[] {
  return asFindings(verdictsOf(change));
}

/** A finding in one line. */
export function line({ claim, source, target, protocol, status, expected, seen }: Finding): string {
  return `${claim}: ${source} -> ${target} ${protocol ?? "-"} ${status}: ${expected} | ${seen}`;
}

/** Lines of a claim that a digest shows before it only counts them; its hash covers them all. */
const SHOWN = 6;

/**
 * Findings as a text to compare: each claim's counts and a hash of all its lines in their order, then the first lines that
 * did not pass.
 */
export function digest(findings: readonly Finding[]): string {
  const claims = [...new Set(findings.map(({ claim }): string => claim))].sort();
  const lines = claims.flatMap((claim) => digestOf(findings.filter((finding) => finding.claim === claim)));
  return [...lines, ""].join("\n");
}

function digestOf(own: readonly Finding[]): string[] {
  const count = (status: string): string =>
    `${String(own.filter((finding) => finding.status === status).length)} ${status}`;
  const statuses = ["passed", "failed", "blocked", "not-applicable"].map(count).join(", ");
  const hash = createHash("sha256").update(own.map(line).join("\n")).digest("hex").slice(0, 16);
  const problems = own.filter(({ status }) => status !== "passed").map((finding) => `  ${line(finding)}`);
  const more = problems.length - SHOWN;
  const rest = more > 0 ? [`  and ${String(more)} more`] : [];
  return [`${own[0]?.claim ?? ""}: ${statuses}; ${hash}`, ...problems.slice(0, SHOWN), ...rest];
}

/** The verdicts on a claim that did not pass, in lines. */
export function problemsOf(claim: ClaimId, change: Change): string[] {
  return findingsOf(change)
    .filter((finding) => finding.claim === claim && finding.status !== "passed")
    .map((finding) => line(finding).slice(claim.length + 2));
}

/** How often a claim's instances ended in each way. */
export function countsOf(claim: ClaimId, change: Change = {}): Partial<Record<Status, number>> {
  const counts: Partial<Record<Status, number>> = {};
  for (const { status, count = 1 } of findingsOf(change).filter((finding) => finding.claim === claim)) {
    counts[status] = (counts[status] ?? 0) + count;
  }
  return counts;
}

/** A change after which nothing answers any more, so that whatever can be blocked is. */
export const SILENCE: Change = { answer: () => silent };

/** What a network says that promises nothing which it may leave open. */
export const NO_PROMISE: CheckInput["network"]["notApplicable"] = [
  { promise: "policy", reason: "no policy engine" },
  { promise: "no-nat-to-nodes", reason: "an overlay" },
];

/** Another answer for the requests that a test picks. */
export function answering(matches: (request: Request) => boolean, answer: Answer): Change {
  return { answer: (request, good) => (matches(request) ? answer : good) };
}
