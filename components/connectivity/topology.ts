import type { CheckInput } from "./input";
import type { Probe } from "./probes";
import type { ProbePod } from "./request";

/** What a run's requests are computed from: the declared nodes and Services, and the probes' pods. */
export interface Topology {
  readonly input: CheckInput;
  /** Names of the nodes. */
  readonly nodes: readonly string[];
  readonly pods: readonly ProbePod[];
  /** Probes on the pod network. */
  readonly onPodNetwork: readonly ProbePod[];
  /** All probes, those on the pod network first. */
  readonly askers: readonly ProbePod[];
  /** A node's probe, if it has it. */
  readonly podOf: (node: string, probe: Probe) => ProbePod | undefined;
}

/** The topology of a run. */
export function topologyOf(input: CheckInput, pods: readonly ProbePod[]): Topology {
  const byPlace = new Map(pods.map((pod) => [`${pod.node} ${pod.probe}`, pod]));
  const onPodNetwork = pods.filter(({ probe }) => probe !== "probe-host");
  return {
    input,
    nodes: Object.keys(input.nodes),
    pods,
    onPodNetwork,
    askers: [...onPodNetwork, ...pods.filter(({ probe }) => probe === "probe-host")],
    podOf: (node, probe) => byPlace.get(`${node} ${probe}`),
  };
}

/** Names of all nodes' pods of one probe, sorted. */
export function podNames(pods: readonly ProbePod[], wanted: Probe): string[] {
  return pods
    .filter(({ probe }) => probe === wanted)
    .map(({ name }) => name)
    .sort();
}
