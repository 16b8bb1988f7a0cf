import { blockedBy, BrokenWays, serviceTrouble } from "../broken";
import { PORTS, PROBE_NAMESPACE, PROBE_SERVICE } from "../probes";
import type { PlannedRequest, Request } from "../request";
import { serviceText } from "../services/requests";
import { podNames, seenService, type Topology } from "../topology";
import { type Claim, type JudgedBy, sorted, type Verdict, verdict } from "./claim";

/**
 * On every node the cluster's DNS tells the ClusterIP of the check's own Service, and of a headless Service of the program
 * the addresses of its pods.
 */
export const dns = {
  id: "dns",
  title: "a service's name resolves to its ClusterIP, a headless one's to its pods",
  waitsOn: ["pod-to-pod", "service", "endpoints"],
  cause: (_, { observations: { dns: seen } }) =>
    seen.trouble === undefined ? undefined : { place: DNS, hop: "dns", text: seen.trouble },
  lastCause: ({ request, seen }) =>
    request?.ask.kind === "resolve"
      ? { place: DNS, hop: "dns", text: `asked for ${request.ask.name}: ${seen}` }
      : undefined,
  requests: (topology) =>
    topology.input.podsAlone
      ? byName(topology)
      : topology.nodes.flatMap((node) =>
          names(topology).flatMap(({ name, service, addresses }) =>
            // Of two servers one that is dead or tells something else hides behind the other.
            [undefined, ...(service === undefined ? topology.coverage.fewOf(node, topology.dnsPods) : [])].map(
              (server) => ({
                node,
                probe: "probe-b",
                ...(server !== undefined && { targetNode: server.node, pod: server.name }),
                target: name,
                // A pod that has just gone is in the DNS for a moment more.
                only: addresses,
                ...(service !== undefined && { service, answers: addresses.length }),
                ask: { kind: "resolve", protocol: "UDP", name, ...(server !== undefined && { server: server.ip }) },
              }),
            ),
          ),
        ),
  judge: (facts) => {
    if (facts.topology.input.podsAlone) {
      return [
        ...facts.requestsOf("dns").map((request) => judgeName(request, facts)),
        ...facts.topology.nodes.map((node): Verdict => ({
          source: node,
          target: "addresses",
          status: "not-applicable",
          expected: "the addresses of names",
          seen: "which addresses a name has: that needs a shell on the nodes, and this check goes by pods alone",
        })),
      ];
    }
    const broken = new BrokenWays(facts, ["pod-to-pod"]);
    const expected = new Map(names(facts.topology).map(({ name, addresses }) => [name, addresses]));
    return facts
      .requestsOf("dns")
      .map((request) => judgeOne(request, expected.get(request.target) ?? [], facts, broken));
  },
} as const satisfies Claim;

/** Its place as a cause. */
const DNS = "the cluster's DNS";

/** A name that is asked for, and what it has to resolve to. */
interface Name {
  readonly name: string;
  readonly addresses: readonly string[];
  /** The program's Service that it is the name of. */
  readonly service?: string;
}

function names(topology: Topology): Name[] {
  const { input } = topology;
  const headless = input.services
    .filter(({ type }) => type === "Headless")
    .map((declared) => ({
      name: nameIn(declared.name, declared.namespace, input.dnsDomain),
      service: serviceText(declared),
      addresses: Object.values(seenService(topology, serviceText(declared))?.places ?? {}).map(({ ip }) => ip),
    }));
  const own = input.probeServices[PROBE_SERVICE] ?? "?";
  return [{ name: ownName(topology), addresses: [own] }, ...headless];
}

function ownName({ input }: Topology): string {
  return nameIn(PROBE_SERVICE, PROBE_NAMESPACE, input.dnsDomain);
}

/** The name of a Service in the cluster's DNS. */
function nameIn(service: string, namespace: string, domain: string): string {
  return `${service}.${namespace}.svc.${domain}`;
}

/** Where pods alone ask, each asks the Service by its name: what an address a name has, an agnhost does not tell, but who answers there. */
function byName(topology: Topology): PlannedRequest[] {
  const name = ownName(topology);
  return topology.nodes.map((node) => ({
    node,
    probe: "probe-b",
    target: name,
    only: podNames(topology.members),
    ask: { kind: "hostnames", protocol: "UDP", address: name, port: PORTS.service.UDP, tries: 1 },
  }));
}

function judgeName(request: Request, facts: JudgedBy): Verdict {
  const { only = [] } = request;
  const answer = facts.answerTo(request);
  const expected = "an answer of one of the Service's pods, asked by its name";
  if (answer.ok) {
    const good = answer.values.every((value) => only.includes(value));
    return verdict(request, good ? "passed" : "failed", expected, `an answer of ${answer.values.join(", ")}`);
  }
  const { trouble } = facts.observations.dns;
  if (trouble !== undefined) {
    return verdict(request, "failed", expected, `the cluster's DNS does not run: ${trouble}`);
  }
  const reason = reasonOf(request, facts, new BrokenWays(facts, ["pod-to-pod"]));
  return reason === undefined
    ? verdict(request, "failed", expected, answer.error)
    : verdict(request, "blocked", expected, reason);
}

/** A request's verdict, with the server that was asked in its target. */
function judgeOne(request: Request, addresses: readonly string[], facts: JudgedBy, broken: BrokenWays): Verdict {
  const { target, pod } = request;
  return {
    ...judgeAnswer(request, addresses, facts, broken),
    target: pod === undefined ? target : `${target} at ${pod}`,
  };
}

function judgeAnswer(request: Request, addresses: readonly string[], facts: JudgedBy, broken: BrokenWays): Verdict {
  const answer = facts.answerTo(request);
  const expected = sorted(addresses);
  if (answer.ok) {
    const good = sorted([...new Set(answer.values)]) === expected;
    return verdict(request, good ? "passed" : "failed", expected, answer.values.join(", ") || "no address");
  }
  const { trouble } = facts.observations.dns;
  if (trouble !== undefined) {
    return verdict(request, "failed", expected, `the cluster's DNS does not run: ${trouble}`);
  }
  const reason = request.pod === undefined ? reasonOf(request, facts, broken) : wayTo(request, broken);
  return reason === undefined
    ? verdict(request, "failed", expected, answer.error)
    : verdict(request, "blocked", expected, reason);
}

/** The broken way to the server that was asked. */
function wayTo({ node, targetNode = "" }: Request, broken: BrokenWays): string | undefined {
  const pair = broken.between("pod-to-pod", node, targetNode, "UDP");
  return pair && blockedBy(pair);
}

/** Why a name was not answered: wrong endpoints, a broken way to a node that runs the DNS, or ClusterIPs that fail. */
function reasonOf({ node, service }: Request, facts: JudgedBy, broken: BrokenWays): string | undefined {
  const failed = facts.verdictsOf("endpoints").find(({ status, source }) => source === service && status !== "passed");
  if (failed) {
    return `endpoints of ${failed.source} failed`;
  }
  const pair = facts.observations.dns.nodes
    .map((to) => broken.between("pod-to-pod", node, to, "UDP"))
    .find((found) => found !== undefined);
  const cause = serviceTrouble(facts.verdictsOf("service"), node, "probe-b", ["UDP"]);
  return pair ? blockedBy(pair) : cause && `service from ${cause.source} to ${cause.target} ${cause.status}`;
}
