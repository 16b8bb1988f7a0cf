import { type Coverage, coverageOf } from "./coverage";
import type { CheckInput } from "./input";
import type { WayOut } from "./peer";
import { type Probe, PROBES } from "./probes";
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
  /** What is asked between nodes. */
  readonly coverage: Coverage;
  /** The pods behind the check's own Service. */
  readonly members: readonly ProbePod[];
  /** All probes, those on the pod network first. */
  readonly askers: readonly ProbePod[];
  /** The program's Services as they were found; without those that are not there. */
  readonly services: readonly SeenService[];
  /** A node's probe, if it has it. */
  readonly podOf: (node: string, probe: Probe) => ProbePod | undefined;
  /** The probe on the pod network that has an address, if one has. */
  readonly podAt: (address: string) => ProbePod | undefined;
  /** A node's probes on the pod network. */
  readonly podsOn: (node: string) => readonly ProbePod[];
}

const ON_POD_NETWORK = PROBES.filter((probe) => probe !== "probe-host");

/** The topology of a run. */
export function topologyOf(
  input: CheckInput,
  pods: readonly ProbePod[],
  services: readonly SeenService[],
  around: Around,
  coverage = coverageOf(input),
): Topology {
  const byPlace = new Map(pods.map((pod) => [`${pod.node} ${pod.probe}`, pod]));
  const podOf: Topology["podOf"] = (node, probe) => byPlace.get(`${node} ${probe}`);
  const present = (node: string, probes: readonly Probe[]): ProbePod[] =>
    probes.map((probe) => podOf(node, probe)).filter((pod) => pod !== undefined);
  const onPodNetwork = pods.filter(({ probe }) => probe !== "probe-host");
  const byAddress = new Map(onPodNetwork.map((pod) => [pod.ip, pod] as const).reverse());
  return {
    ...around,
    input,
    nodes: Object.keys(input.nodes),
    pods,
    services,
    onPodNetwork,
    coverage,
    members: coverage.members().flatMap((node) => present(node, ["probe-a"])),
    askers: [...onPodNetwork, ...pods.filter(({ probe }) => probe === "probe-host")],
    podOf,
    podAt: (address) => byAddress.get(address),
    podsOn: (node) => present(node, ON_POD_NETWORK),
  };
}

/** A Service of the program as it was found, by `namespace/name`. */
export function seenService({ services }: Topology, name: string): SeenService | undefined {
  return services.find((service) => service.name === name);
}

/** Every ordered pair of nodes between which everything is asked: what a request from a probe of one to a probe of the other begins with, and that one's address. */
export function nodePairs({ nodes, coverage, podOf }: Topology, probe: Probe, other: Probe) {
  return nodes.flatMap((node) =>
    coverage.peersOf(node).flatMap((targetNode) => {
      const pod = targetNode === node ? undefined : podOf(targetNode, other);
      return pod ? [{ from: { node, probe, targetNode, target: nameOf(targetNode, other) }, address: pod.ip }] : [];
    }),
  );
}

/** Names of pods, sorted. */
export function podNames(pods: readonly ProbePod[]): string[] {
  return pods.map(({ name }) => name).sort();
}
