import type { CheckInput } from "./input";
import { hairpinService, PORTS, type Probe, PROBE_NAMESPACE, PROBE_SERVICE } from "./probes";
import type { Protocol } from "./claims";

/** A probe's pod as the API server and its own node know it. */
export interface ProbePod {
  readonly probe: Probe;
  readonly node: string;
  readonly name: string;
  /** Address in the pod's status. */
  readonly ip: string;
}

/** What a request asks for, beside who asks whom. */
export type Ask =
  /** The address that the asker is seen by. */
  | { readonly kind: "clientip"; readonly protocol: "TCP" | "UDP"; readonly address: string; readonly port: number }
  /** The names of whoever answers, `tries` times over. */
  | {
      readonly kind: "hostnames";
      readonly protocol: "TCP" | "UDP";
      readonly address: string;
      readonly port: number;
      readonly tries: number;
    }
  /** Whether a TCP connection comes about. */
  | { readonly kind: "connect"; readonly protocol: "TCP"; readonly address: string; readonly port: number }
  /** Whether an IP packet of `size` bytes that may not be fragmented is answered. */
  | { readonly kind: "packet"; readonly protocol: "ICMP"; readonly address: string; readonly size: number }
  /** The address of a name. */
  | { readonly kind: "resolve"; readonly protocol: "UDP"; readonly name: string };

/** One request that a probe makes. */
export interface Request {
  readonly id: string;
  readonly group:
    "localhost" | "pod-to-pod" | "node-to-pod" | "pod-to-node" | "mtu" | "service" | "user" | "hairpin" | "dns";
  /** Who asks: a probe of a node; `probe-host` asks for the node. */
  readonly node: string;
  readonly probe: Probe;
  readonly source: string;
  /** Node that is asked, where it is one. */
  readonly targetNode?: string;
  readonly target: string;
  readonly ask: Ask;
}

/** How a probe or a node is called in the report. */
export function nameOf(node: string, probe: Probe): string {
  return probe === "probe-host" ? node : `${node}/${probe}`;
}

/** Times that a Service is asked, so that each of `count` endpoints is missed by chance less than once in a million runs. */
export function triesFor(count: number): number {
  return count <= 1 ? 2 : Math.ceil(Math.log(1e-6 / count) / Math.log(1 - 1 / count));
}

const TRANSPORTS = ["TCP", "UDP"] as const;

/** Every request of one run, computed from the declared topology and the probes' pods. Linear in claims, square in nodes. */
export function planRequests(input: CheckInput, pods: readonly ProbePod[]): Request[] {
  const requests: Request[] = [];
  const add = (request: Omit<Request, "id" | "source">): void => {
    requests.push({ ...request, id: `r${String(requests.length)}`, source: nameOf(request.node, request.probe) });
  };
  const nodes = Object.keys(input.nodes);
  const onPodNetwork = pods.filter(({ probe }) => probe !== "probe-host");
  const askers = [...onPodNetwork, ...pods.filter(({ probe }) => probe === "probe-host")];
  for (const from of onPodNetwork) {
    for (const protocol of TRANSPORTS) {
      const ask: Ask = { kind: "hostnames", protocol, address: "127.0.0.1", port: PORTS.second[protocol], tries: 1 };
      const self = nameOf(from.node, from.probe);
      add({ group: "localhost", node: from.node, probe: from.probe, targetNode: from.node, target: self, ask });
    }
  }
  for (const from of askers) {
    const { node, probe } = from;
    const host = probe === "probe-host";
    for (const protocol of TRANSPORTS) {
      for (const to of onPodNetwork) {
        if (to.node === node && to.probe === probe) {
          continue;
        }
        const ask: Ask = { kind: "clientip", protocol, address: to.ip, port: PORTS.pod[protocol] };
        const target = nameOf(to.node, to.probe);
        add({ group: host ? "node-to-pod" : "pod-to-pod", node, probe, targetNode: to.node, target, ask });
      }
      if (!host) {
        for (const to of nodes) {
          const address = input.nodes[to]?.internalIp ?? "";
          const ask: Ask = { kind: "clientip", protocol, address, port: PORTS.host[protocol] };
          add({ group: "pod-to-node", node, probe, targetNode: to, target: to, ask });
        }
      }
    }
  }
  const of = (node: string, probe: Probe): ProbePod | undefined =>
    pods.find((pod) => pod.node === node && pod.probe === probe);
  for (const node of nodes) {
    for (const to of nodes.filter((other) => other !== node)) {
      const address = of(to, "probe-a")?.ip;
      if (address !== undefined) {
        for (const more of [0, 1]) {
          const ask: Ask = { kind: "packet", protocol: "ICMP", address, size: (input.nodes[node]?.mtu ?? 0) + more };
          add({ group: "mtu", node, probe: "probe-a", targetNode: to, target: nameOf(to, "probe-a"), ask });
        }
      }
    }
  }
  const members = onPodNetwork.filter(({ probe }) => probe === "probe-a").length;
  const clusterIp = input.probeServices[PROBE_SERVICE] ?? "";
  for (const node of nodes) {
    for (const probe of ["probe-b", "probe-host"] as const) {
      for (const protocol of TRANSPORTS) {
        const tries = triesFor(members);
        const ask: Ask = { kind: "hostnames", protocol, address: clusterIp, port: PORTS.service[protocol], tries };
        add({ group: "service", node, probe, target: PROBE_SERVICE, ask });
      }
      for (const service of input.services) {
        for (const { port, protocol } of service.ports) {
          if (protocol === "TCP") {
            const ask: Ask = { kind: "connect", protocol, address: service.clusterIP, port };
            add({ group: "user", node, probe, target: `${service.namespace}/${service.name}`, ask });
          }
        }
      }
    }
    const hairpin = hairpinService(node);
    for (const protocol of TRANSPORTS) {
      const address = input.probeServices[hairpin] ?? "";
      const ask: Ask = { kind: "hostnames", protocol, address, port: PORTS.service[protocol], tries: 1 };
      add({ group: "hairpin", node, probe: "probe-b", targetNode: node, target: hairpin, ask });
    }
    const name = `${PROBE_SERVICE}.${PROBE_NAMESPACE}.svc.${input.dnsDomain}`;
    add({ group: "dns", node, probe: "probe-b", target: name, ask: { kind: "resolve", protocol: "UDP", name } });
  }
  return requests;
}

/** The transport that a request is reported under. */
export function protocolOf(request: Request): Protocol {
  return request.ask.protocol;
}
