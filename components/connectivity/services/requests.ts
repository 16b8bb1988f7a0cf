import type { CheckedService } from "../../service/checked";
import type { Ask, PlannedRequest } from "../request";
import { type SeenService, seenService, type Topology } from "../topology";

type Port = CheckedService["ports"][number];
type Asker = Pick<PlannedRequest, "node" | "probe">;

/** What of a Service's port is asked: its ClusterIP, a node's port, or a pod. */
interface Destination {
  /** How it is called in the report, beside the Service and its port. */
  readonly suffix: string;
  readonly address: string;
  readonly port: number;
  readonly targetNode?: string;
  /** The pod that it is, where it is one. */
  readonly pod?: string;
}

/** What the program's Services are asked: each port, from every node and its `probe-b`, and each ready pod on it. */
export function userServiceRequests(topology: Topology): PlannedRequest[] {
  const { input, nodes } = topology;
  return nodes.flatMap((node) =>
    (["probe-b", "probe-host"] as const).flatMap((probe) =>
      input.services.flatMap((service) =>
        service.ports.flatMap((port) => requestsTo(service, port, topology, { node, probe })),
      ),
    ),
  );
}

/** Name of a Service in the report. */
export function serviceText({ namespace, name }: Pick<CheckedService, "namespace" | "name">): string {
  return `${namespace}/${name}`;
}

/** Name of a Service's port in the report: the Service's, where it has no other port. */
export function portText(service: CheckedService, port: Port): string {
  return service.ports.length === 1 ? serviceText(service) : `${serviceText(service)}:${port.name}`;
}

/** Whether it can be told whose answers a client gets: there are several pods, and they answer with their names. */
export function tellsAffinity(port: Port, seen: SeenService | undefined): boolean {
  return port.answersName && (seen?.pods.length ?? 0) > 1;
}

function requestsTo(service: CheckedService, port: Port, topology: Topology, asker: Asker): PlannedRequest[] {
  const seen = seenService(topology, serviceText(service));
  const about = { ...asker, service: serviceText(service), servicePort: port.name, target: portText(service, port) };
  const reach = destinations(service, port, topology, asker).map(
    ({ suffix, address, port: number, targetNode, pod }) => ({
      ...about,
      target: `${about.target}${suffix}`,
      ...(targetNode !== undefined && { targetNode }),
      ...(pod !== undefined && { pod }),
      ...(port.protocol === "UDP" && !port.answersName && { silenceStands: true }),
      ...(port.protocol === "UDP" && port.answersName && { only: pod === undefined ? (seen?.pods ?? []) : [pod] }),
      ask: askFor(port, address, number),
    }),
  );
  if (service.sessionAffinity !== "ClientIP" || !tellsAffinity(port, seen)) {
    return reach;
  }
  const tries = affinityTries(seen?.pods.length ?? 0);
  const ask: Ask = { kind: "hostnames", protocol: port.protocol, address: service.clusterIP, port: port.port, tries };
  return [...reach, { ...about, proof: "affinity", atMost: 1, only: seen?.pods ?? [], ask }];
}

function destinations(service: CheckedService, port: Port, topology: Topology, asker: Asker): Destination[] {
  const pods = Object.entries(seenService(topology, serviceText(service))?.places ?? {})
    .filter(([, { node, ready }]) => ready && isAsked(service, node, topology, asker))
    .map(([pod, { ip, node }]) => ({
      suffix: ` at ${pod}`,
      address: ip,
      port: port.targetPort,
      targetNode: node,
      pod,
    }));
  return service.type === "Headless" ? pods : [...inFront(service, port, topology, asker), ...pods];
}

/** What stands in front of the pods: whichever of them it sends a client to, one that does not listen may hide behind the others. */
function inFront(
  service: CheckedService,
  { port, nodePort }: Port,
  { input, coverage }: Topology,
  asker: Asker,
): Destination[] {
  const clusterIp = { suffix: "", address: service.clusterIP, port };
  if (service.type !== "NodePort" || nodePort === undefined) {
    return [clusterIp];
  }
  const nodes = coverage.peersOf(asker.node).map((node) => ({
    suffix: ` at ${node}:${String(nodePort)}`,
    address: input.nodes[node]?.internalIp ?? "",
    port: nodePort,
    targetNode: node,
  }));
  return [clusterIp, ...nodes];
}

/** Whether an asker asks a Service's pods on a node themselves. Those of a headless one are asked by whoever asks everything of the node. */
function isAsked({ type }: CheckedService, place: string, topology: Topology, asker: Asker): boolean {
  const { coverage } = topology;
  const headless = type === "Headless" && (coverage.kind === "full" || coverage.asks(asker.node, place));
  return headless || asksPodsOn(place, topology, asker);
}

/**
 * Whether an asker is the one that asks the pods on a node themselves: `probe-b` there, so that requests grow with the pods and not
 * with pods times nodes; the first node's where that node has none.
 */
function asksPodsOn(place: string, { nodes, podOf }: Topology, { node, probe }: Asker): boolean {
  return probe === "probe-b" && node === (podOf(place, probe) ? place : nodes[0]);
}

function askFor({ protocol }: Port, address: string, port: number): Ask {
  // Over UDP there is no connection to see: only an answer shows that a packet arrived.
  return protocol === "TCP"
    ? { kind: "connect", protocol, address, port }
    : { kind: "hostnames", protocol, address, port, tries: 1 };
}

/** Times that a client asks, so that `count` pods without affinity seem one by chance less than once in a million runs. */
export function affinityTries(count: number): number {
  return 1 + Math.ceil(Math.log(1e-6) / Math.log(1 / count));
}
