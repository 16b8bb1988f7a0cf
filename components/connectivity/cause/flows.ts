import { grouped } from "../../args/grouped";
import type { Verdict } from "../claims/claim";
import { PROBE_SERVICE } from "../probes";
import type { Request } from "../request";
import { serviceText } from "../services/requests";
import { seenService, type Topology } from "../topology";
import type { Flow } from "./cause";

/** Most flows that one run follows: each fault shows in many. */
const MOST = 12;

/** A flow, and the request that makes its packets. */
export interface Followed {
  readonly flow: Flow;
  readonly request: Request;
}

/**
 * The flows to follow: of the failed proofs between pods and nodes one for each ordered pair of nodes, the pairs in an order in which
 * every node comes up early.
 */
export function flowsOf(verdicts: readonly Verdict[], topology: Topology): Followed[] {
  const byPair = new Map<string, Request>();
  for (const { status, request } of verdicts) {
    if (status === "failed" && request?.targetNode !== undefined) {
      const key = pairKey(request.node, request.targetNode);
      if (!byPair.has(key) && endsOf(request, topology)) {
        byPair.set(key, request);
      }
    }
  }
  return spread([...byPair.values()])
    .slice(0, MOST)
    .flatMap((request, index) => {
      const ends = endsOf(request, topology);
      const { node, targetNode = "" } = request;
      return ends ? [{ request, flow: { id: `f${String(index)}`, source: node, target: targetNode, ...ends } }] : [];
    });
}

/** Name of an ordered pair of nodes. */
export function pairKey(source: string, target: string): string {
  return `${source} ${target}`;
}

/** The addresses of a request's two ends, and the probes on the pod network that have them. */
function endsOf(
  request: Request,
  { input, dnsPods, podOf, podAt }: Topology,
): Omit<Flow, "id" | "source" | "target"> | undefined {
  const { node, probe, ask } = request;
  const to = "address" in ask ? ask.address : "server" in ask ? ask.server : undefined;
  const own = probe === "probe-host" ? undefined : podOf(node, probe);
  const from = own?.ip ?? input.nodes[node]?.internalIp;
  // What a node sends to its own pods has the address of their bridge.
  if (to === undefined || from === undefined || (own === undefined && node === request.targetNode)) {
    return undefined;
  }
  const toProbe = podAt(to)?.probe;
  const toNode = input.nodes[request.targetNode ?? ""]?.internalIp === to;
  const toPod = toProbe !== undefined || (!toNode && dnsPods.some(({ ip }) => ip === to));
  // A pod that is none of these may be gone by now.
  return toPod || toNode
    ? { from, to, fromProbe: own?.probe, toProbe, toPod, size: "size" in ask ? ask.size : undefined }
    : undefined;
}

/** The first requests, and more, in an order in which each node is a source as early as it can be. */
function spread(requests: readonly Request[]): Request[] {
  const queues = [...grouped(requests, ({ node }) => node).values()];
  const most = Math.min(
    MOST,
    queues.reduce((longest, { length }) => Math.max(longest, length), 0),
  );
  return Array.from({ length: most }, (_, round) => queues.flatMap((queue) => queue.slice(round, round + 1))).flat();
}

/** ClusterIPs that failed proofs asked for, by the node that asked. */
export function servicesOf(verdicts: readonly Verdict[]): ReadonlyMap<string, readonly string[]> {
  const byNode = new Map<string, string[]>();
  for (const { status, request } of verdicts) {
    if (
      status === "failed" &&
      request &&
      request.pod === undefined &&
      FRONTED.includes(request.claim) &&
      "address" in request.ask
    ) {
      const own = byNode.get(request.node) ?? [];
      byNode.set(request.node, own.includes(request.ask.address) ? own : [...own, request.ask.address]);
    }
  }
  return byNode;
}

/** Addresses of the pods to which a ClusterIP of the check's own Service, or of the program's, has to lead; none of another's. */
export function endpointsBehind(address: string, topology: Topology): string[] {
  const { input, pods } = topology;
  if (address === input.probeServices[PROBE_SERVICE]) {
    return pods.filter(({ probe }) => probe === "probe-a").map(({ ip }) => ip);
  }
  const declared = input.services.find(({ clusterIP }) => clusterIP === address);
  const seen = declared && seenService(topology, serviceText(declared));
  return Object.values(seen?.places ?? {}).flatMap(({ ip, ready }) => (ready ? [ip] : []));
}

/** Claims whose requests go to ClusterIPs. */
const FRONTED: readonly string[] = ["service", "hairpin", "api"];
