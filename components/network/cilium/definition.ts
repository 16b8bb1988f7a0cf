import { type NetworkDefinition, overlayEgress, VXLAN_OVERHEAD } from "../definition";

/**
 * How Cilium carries packets between nodes (https://docs.cilium.io/en/stable/network/concepts/routing/).
 * `native`: routes between nodes of one link-layer segment. `tunnel`: an overlay that any network carries.
 */
export type CiliumRoutingMode = "native" | "tunnel";
/** Every routing mode of Cilium. */
export const CILIUM_ROUTING_MODES = ["native", "tunnel"] as const satisfies readonly CiliumRoutingMode[];

/** Version of Cilium, as its project tags it. */
export const CILIUM_VERSION = "v1.18.4";

/** Name of the conflist that Cilium writes on a node. */
export const CILIUM_CONFLIST = "05-cilium.conflist";

/** Cilium's official images. */
export const CILIUM_IMAGES = {
  agent: `quay.io/cilium/cilium:${CILIUM_VERSION}`,
  operator: `quay.io/cilium/operator-generic:${CILIUM_VERSION}`,
} as const;

/** Cilium with one of its routing modes, beside kube-proxy or in its place. */
export function ciliumDefinition(routingMode: CiliumRoutingMode, kubeProxyReplacement: boolean): NetworkDefinition {
  const tunnel = routingMode === "tunnel";
  return {
    kind: "cilium",
    id: `cilium-${routingMode}${kubeProxyReplacement ? "-no-kube-proxy" : ""}`,
    conflist: CILIUM_CONFLIST,
    owns: [
      ...["/opt/cni/bin/cilium-cni", "/opt/cni/bin/cilium-mount", "/opt/cni/bin/cilium-sysctlfix"],
      ...["/sys/class/net/cilium_*", "/sys/fs/bpf/cilium", "/sys/fs/bpf/tc/globals/cilium_*"],
      ...["/etc/sysctl.d/99-zzz-override_cilium.conf", "/run/cilium", "/var/lib/cni/networks/cilium"],
    ],
    overhead: tunnel ? VXLAN_OVERHEAD : 0,
    features: [
      ...(["kernel-5.10", "veth", "bpf", "bpf-jit", "cls-bpf", "sch-ingress", "cgroup-bpf"] as const),
      ...(["bpffs", "cgroup2", "ip-set", "xt-set", "xt-masquerade"] as const),
      ...(tunnel ? (["vxlan"] as const) : []),
    ],
    programs: ["iptables", "ipset"],
    images: Object.values(CILIUM_IMAGES),
    rollouts: [
      { kind: "daemonset", namespace: "kube-system", name: "cilium" },
      { kind: "deployment", namespace: "kube-system", name: "cilium-operator" },
    ],
    ownEgress: false,
    replacesKubeProxy: kubeProxyReplacement,
    notApplicable: tunnel ? [overlayEgress("Cilium's tunnel mode")] : [],
  };
}
