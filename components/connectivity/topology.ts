import type { CheckInput } from "./input";
import type { WayOut } from "./peer";
import type { Probe } from "./probes";
import { nameOf, type ProbePod } from "./request";

/** A Service of the program as it was found. */
export interface SeenService {
  /** Its namespace and name, as `namespace/name`. */
  readonly name: string;
  /** Selector that the Service has now. */
  readonly selector: Readonly<Record<string, string>> | undefined;
  /** Pods that the declared selector matches and that should be its endpoints: the ready ones, or all that it publishes. */
  readonly pods: readonly string[];
  /** Names of its endpoints. */
  readonly endpoints: readonly string[];
  /** Where those pods are, by name. */
  readonly places: Readonly<Record<string, { readonly node: string; readonly ip: string; readonly ready: boolean }>>;
}

/** What of the cluster's own is asked beside the nodes and Services that are declared. */
export interface Around {
  /** The API's own Service. */
  readonly api: { readonly address: string; readonly port: number };
  /** A peer outside the cluster, and the ways by which nodes themselves reach it, by node. */
  readonly outside: { readonly port: number; readonly nonce: string; readonly ways: Readonly<Record<string, WayOut>> };
  /** The ready pods of the cluster's DNS. */
  readonly dnsPods: readonly { readonly name: string; readonly node: string; readonly ip: string }[];
}

/** What a run's requests are computed from: the declared nodes and Services, and the probes' pods. */
export interface Topology extends Around {
  readonly input: CheckInput;
  /** Names of the nodes. */
  readonly nodes: readonly string[];
  readonly pods: readonly ProbePod[];
  /** Probes on the pod network. */
  readonly onPodNetwork: readonly ProbePod[];
  /** All probes, those on the pod network first. */
  readonly askers: readonly ProbePod[];
  /** The program's Services as they were found; without those that are not there. */
  readonly services: readonly SeenService[];
  /** A node's probe, if it has it. */
  readonly podOf: (node: string, probe: Probe) => ProbePod | undefined;
}

/** The topology of a run. */
export function topologyOf(
  input: CheckInput,
  pods: readonly ProbePod[],
  services: readonly SeenService[],
  around: Around,
): Topology {
  const byPlace = new Map(pods.map((pod) => [`${pod.node} ${pod.probe}`, pod]));
  const onPodNetwork = pods.filter(({ probe }) => probe !== "probe-host");
  return {
    ...around,
    input,
    nodes: Object.keys(input.nodes),
    pods,
    services,
    onPodNetwork,
    askers: [...onPodNetwork, ...pods.filter(({ probe }) => probe === "probe-host")],
    podOf: (node, probe) => byPlace.get(`${node} ${probe}`),
  };
}

/** A Service of the program as it was found, by `namespace/name`. */
export function seenService({ services }: Topology, name: string): SeenService | undefined {
  return services.find((service) => service.name === name);
}

/** Every ordered pair of nodes: what a request from a probe of one to a probe of the other begins with, and that one's address. */
export function nodePairs({ nodes, podOf }: Topology, probe: Probe, other: Probe) {
  return nodes.flatMap((node) =>
    nodes.flatMap((targetNode) => {
      const pod = targetNode === node ? undefined : podOf(targetNode, other);
      return pod ? [{ from: { node, probe, targetNode, target: nameOf(targetNode, other) }, address: pod.ip }] : [];
    }),
  );
}

/** Names of all nodes' pods of one probe, sorted. */
export function podNames(pods: readonly ProbePod[], wanted: Probe): string[] {
  return pods
    .filter(({ probe }) => probe === wanted)
    .map(({ name }) => name)
    .sort();
}
