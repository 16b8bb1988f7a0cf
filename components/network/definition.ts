import type { FeatureId } from "./features";

/** The pod networks that podnet installs. */
export const NETWORKS = ["bridge", "flannel", "kube-router", "cilium"] as const;
/** Kind of a pod network, as in the stack's config. */
export type NetworkKind = (typeof NETWORKS)[number];

/** How flannel carries packets between nodes (https://github.com/flannel-io/flannel/blob/master/Documentation/backends.md). */
export const FLANNEL_BACKENDS = ["host-gw", "vxlan"] as const;
/** How Cilium carries packets between nodes (https://docs.cilium.io/en/stable/network/concepts/routing/). */
export const CILIUM_ROUTING_MODES = ["native", "tunnel"] as const;

/** Bytes that VXLAN over IPv4 adds to a packet: outer Ethernet, IPv4, UDP and VXLAN headers (RFC 7348). */
export const VXLAN_OVERHEAD = 50;

/** Label of a node that says which network's agents run on it; its value is a plan's id. */
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
export interface NetworkPlan {
  readonly kind: NetworkKind;
  /** Kind and variant: two plans with different ids cannot share a node. */
  readonly id: string;
  /** Bytes that its encapsulation takes from the MTU of a node's link. */
  readonly overhead: number;
  /** Kernel features that it cannot do without. */
  readonly features: readonly FeatureId[];
  /** Programs that podnet calls on a node to take it off again, beside those of the runtime. */
  readonly programs: readonly string[];
  /** Workloads of its agents. */
  readonly rollouts: readonly Rollout[];
  /** Whether podnet itself masquerades what leaves the cluster; the agent does otherwise. */
  readonly ownEgress: boolean;
  readonly replacesKubeProxy: boolean;
  /** Whether something on the nodes puts NetworkPolicies into force. */
  readonly enforcesPolicy: boolean;
  readonly notApplicable: readonly NotApplicable[];
}

/** What the connectivity check has to know of a network. */
export function checkedBy({ id, enforcesPolicy, notApplicable }: NetworkPlan) {
  return { id, enforcesPolicy, notApplicable: [...notApplicable] };
}

const NO_POLICY_ENGINE: Omit<NotApplicable, "reason"> = { promise: "policy" };

/** What to do where nothing enforces a NetworkPolicy. */
export const POLICY_ADVICE =
  "nothing enforces NetworkPolicy on this network: choose kube-router or cilium (podnet:network), or take the policy away";

function overlayEgress(network: string): NotApplicable {
  return {
    promise: "no-nat-to-nodes",
    reason: `${network} gives what leaves the overlay, packets to nodes included, the node's address: the underlay carries no pod addresses`,
  };
}

/** The bridge-plus-routes network. */
export function bridgePlan(): NetworkPlan {
  return {
    kind: "bridge",
    id: "bridge",
    overhead: 0,
    features: ["veth", "bridge", "br-netfilter", "nft-masquerade"],
    programs: [],
    rollouts: [],
    ownEgress: true,
    replacesKubeProxy: false,
    enforcesPolicy: false,
    notApplicable: [{ ...NO_POLICY_ENGINE, reason: "the bridge network has no policy engine" }],
  };
}

/** Flannel with one of its backends. */
export function flannelPlan(backend: string): NetworkPlan {
  const vxlan = backend === "vxlan";
  return {
    kind: "flannel",
    id: `flannel-${backend}`,
    overhead: vxlan ? VXLAN_OVERHEAD : 0,
    features: [
      "veth",
      "bridge",
      "br-netfilter",
      ...(vxlan ? (["vxlan", "xt-masquerade"] as const) : (["nft-masquerade"] as const)),
    ],
    programs: ["iptables"],
    rollouts: [{ kind: "daemonset", namespace: "kube-flannel", name: "kube-flannel-ds" }],
    ownEgress: !vxlan,
    replacesKubeProxy: false,
    enforcesPolicy: false,
    notApplicable: [
      { ...NO_POLICY_ENGINE, reason: "flannel has no policy engine" },
      ...(vxlan ? [overlayEgress("flannel's vxlan backend")] : []),
    ],
  };
}

/** Kube-router as router and firewall, and as service proxy where asked for. */
export function kubeRouterPlan(serviceProxy: boolean): NetworkPlan {
  return {
    kind: "kube-router",
    id: serviceProxy ? "kube-router-ipvs" : "kube-router",
    overhead: 0,
    features: [
      "veth",
      "bridge",
      "br-netfilter",
      "ip-set",
      "xt-set",
      "xt-masquerade",
      ...(serviceProxy ? (["ipvs", "dummy"] as const) : []),
    ],
    programs: ["iptables", "ipset"],
    rollouts: [{ kind: "daemonset", namespace: "kube-system", name: "kube-router" }],
    ownEgress: false,
    replacesKubeProxy: serviceProxy,
    enforcesPolicy: true,
    notApplicable: [],
  };
}

/** Cilium with one of its routing modes, beside kube-proxy or in its place. */
export function ciliumPlan(routingMode: string, kubeProxyReplacement: boolean): NetworkPlan {
  const tunnel = routingMode === "tunnel";
  return {
    kind: "cilium",
    id: `cilium-${routingMode}${kubeProxyReplacement ? "-no-kube-proxy" : ""}`,
    overhead: tunnel ? VXLAN_OVERHEAD : 0,
    features: [
      ...([
        "kernel-5.10",
        "veth",
        "bpf",
        "bpf-jit",
        "cls-bpf",
        "sch-ingress",
        "cgroup-bpf",
        "bpffs",
        "cgroup2",
      ] as const),
      ...(["ip-set", "xt-set", "xt-masquerade"] as const),
      ...(tunnel ? (["vxlan"] as const) : []),
    ],
    programs: ["iptables", "ipset"],
    rollouts: [
      { kind: "daemonset", namespace: "kube-system", name: "cilium" },
      { kind: "deployment", namespace: "kube-system", name: "cilium-operator" },
    ],
    ownEgress: false,
    replacesKubeProxy: kubeProxyReplacement,
    enforcesPolicy: true,
    notApplicable: tunnel ? [overlayEgress("Cilium's tunnel mode")] : [],
  };
}

/** Every network in every variant, by id. */
const PLANS: readonly NetworkPlan[] = [
  bridgePlan(),
  ...FLANNEL_BACKENDS.map(flannelPlan),
  kubeRouterPlan(false),
  kubeRouterPlan(true),
  ...CILIUM_ROUTING_MODES.flatMap((mode) => [ciliumPlan(mode, false), ciliumPlan(mode, true)]),
];

/** Ids of every network in every variant, such as `flannel-vxlan`. */
export const NETWORK_IDS = PLANS.map(({ id }) => id) as [string, ...string[]];

/** The plan with this id. Throws when there is none. */
export function planOf(id: string): NetworkPlan {
  const plan = PLANS.find((candidate) => candidate.id === id);
  if (!plan) {
    throw new Error(`no network "${id}"; there are ${NETWORK_IDS.join(", ")}`);
  }
  return plan;
}
