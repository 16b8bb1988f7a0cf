import { type NetworkDefinition, overlayEgress, VXLAN_OVERHEAD } from "../definition";

/**
 * How flannel carries packets between nodes (https://github.com/flannel-io/flannel/blob/master/Documentation/backends.md).
 * `host-gw`: routes between nodes of one link-layer segment. `vxlan`: an overlay that any network carries.
 */
export type FlannelBackend = "host-gw" | "vxlan";
/** Every backend of flannel that podnet uses. */
export const FLANNEL_BACKENDS = ["host-gw", "vxlan"] as const satisfies readonly FlannelBackend[];

/**
 * Versions of flannel and its CNI plugin, as their projects tag them. The plugin is built from the last release of it that a
 * module proxy serves where its official image is out of reach.
 */
export const FLANNEL_VERSIONS = { flannel: "v0.28.10", cniPlugin: "v1.9.1-flannel3" } as const;

/** Name of the conflist that flannel writes on a node. */
export const FLANNEL_CONFLIST = "10-flannel.conflist";

/** Flannel's official images. */
export const FLANNEL_IMAGES = {
  agent: `ghcr.io/flannel-io/flannel:${FLANNEL_VERSIONS.flannel}`,
  cniPlugin: `ghcr.io/flannel-io/flannel-cni-plugin:${FLANNEL_VERSIONS.cniPlugin}`,
} as const;

/** Flannel with one of its backends. */
export function flannelDefinition(backend: FlannelBackend): NetworkDefinition {
  const vxlan = backend === "vxlan";
  return {
    kind: "flannel",
    id: `flannel-${backend}`,
    conflist: FLANNEL_CONFLIST,
    owns: [
      ...["/opt/cni/bin/flannel", "/sys/class/net/flannel.1", "/sys/class/net/flannel-v6.1"],
      ...["/run/flannel", "/var/lib/cni/flannel", "/var/lib/cni/networks/cbr0"],
    ],
    overhead: vxlan ? VXLAN_OVERHEAD : 0,
    features: [
      "veth",
      "bridge",
      "br-netfilter",
      ...(vxlan ? (["vxlan", "xt-masquerade"] as const) : (["nft-masquerade"] as const)),
    ],
    programs: ["iptables"],
    images: Object.values(FLANNEL_IMAGES),
    rollouts: [{ kind: "daemonset", namespace: "kube-flannel", name: "kube-flannel-ds" }],
    ownEgress: !vxlan,
    replacesKubeProxy: false,
    notApplicable: [
      { promise: "policy", reason: "flannel has no policy engine" },
      ...(vxlan ? [overlayEgress("flannel's vxlan backend")] : []),
    ],
  };
}
