import type { FeatureId } from "./features";

/** Bytes that VXLAN over IPv4 adds to a packet: outer Ethernet, IPv4, UDP and VXLAN headers (RFC 7348). */
export const VXLAN_OVERHEAD = 50;

/** Label of a node that says which network's agents run on it; its value is a definition's id. */
export const NETWORK_LABEL = "podnet.dev/network";
/** Label of the pods of a network's agents. */
export const AGENT_LABEL = "podnet.dev/agent";

/**
 * What a network may leave open: `policy`, that NetworkPolicies are put into force; `no-nat-to-nodes`, that nodes see a pod's
 * own address.
 */
export const NETWORK_PROMISES = ["policy", "no-nat-to-nodes"] as const;
/** Something that a network may leave open. */
export type NetworkPromise = (typeof NETWORK_PROMISES)[number];

/** A promise that a network does not make, and why. */
export interface NotApplicable {
  readonly promise: NetworkPromise;
  readonly reason: string;
}

/** A workload of a network whose rollout is waited for. */
export interface Rollout {
  readonly kind: "daemonset" | "deployment";
  readonly namespace: string;
  readonly name: string;
}

/** What follows from the choice of a network, for the nodes, the control plane and the check. */
export interface NetworkDefinition {
  /** Kind of network: the name of its folder. */
  readonly kind: string;
  /** Kind and variant: two networks with different ids cannot share a node. */
  readonly id: string;
  /** Bytes that its encapsulation takes from the MTU of a node's link. */
  readonly overhead: number;
  /** Kernel features that it cannot do without. */
  readonly features: readonly FeatureId[];
  /** Programs that podnet calls on a node to take it off again, beside those of the runtime. */
  readonly programs: readonly string[];
  /** Name of its configuration in /etc/cni/net.d, from which the container runtime gives pods the network. */
  readonly conflist: string;
  /**
   * Files, folders and links that its agents make beside it and its part of the node program removes, as paths; a name may end in
   * `*`. What is there before would be taken for theirs.
   */
  readonly owns?: readonly string[];
  /** Images that its agents run from. */
  readonly images: readonly string[];
  /** Workloads of its agents. */
  readonly rollouts: readonly Rollout[];
  /** Whether the nodes are told the routes to their peers: where podnet itself routes or masquerades. */
  readonly ownEgress: boolean;
  readonly replacesKubeProxy: boolean;
  /** Promises that it does not make. */
  readonly notApplicable: readonly NotApplicable[];
}

/** What to do where nothing enforces a NetworkPolicy. */
export const POLICY_ADVICE =
  "nothing enforces NetworkPolicy on this network: choose kube-router or cilium (podnet:network), or take the policy away";

/** Whether something on the nodes puts NetworkPolicies into force. */
export function enforcesPolicy({ notApplicable }: Pick<NetworkDefinition, "notApplicable">): boolean {
  return !notApplicable.some(({ promise }) => promise === "policy");
}

/** Whether it carries packets between nodes in an overlay; without one, the nodes are each other's next hops, and share a link. */
export function hasOverlay({ overhead }: Pick<NetworkDefinition, "overhead">): boolean {
  return overhead > 0;
}

/** What the connectivity check has to know of a network. */
export function checkedBy(definition: NetworkDefinition) {
  const { id, conflist, notApplicable } = definition;
  return {
    id,
    conflist,
    enforcesPolicy: enforcesPolicy(definition),
    notApplicable: notApplicable.map((entry) => ({ ...entry })),
  };
}

/** That an overlay hides a pod's address from nodes: what leaves it carries the node's own. */
export function overlayEgress(network: string): NotApplicable {
  return {
    promise: "no-nat-to-nodes",
    reason: `${network} gives what leaves the overlay, packets to nodes included, the node's address: the underlay carries no pod addresses`,
  };
}
