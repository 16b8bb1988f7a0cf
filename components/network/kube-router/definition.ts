import type { NetworkDefinition } from "../definition";

/** Version of Kube-router, as its project tags it. */
export const KUBE_ROUTER_VERSION = "v2.6.3";

/** Name of the conflist that Kube-router writes on a node. */
export const KUBE_ROUTER_CONFLIST = "10-kuberouter.conflist";

/** Kube-router's official images. */
export const KUBE_ROUTER_IMAGES = { agent: `docker.io/cloudnativelabs/kube-router:${KUBE_ROUTER_VERSION}` } as const;

/** Kube-router as router and firewall, and as service proxy where asked for. */
export function kubeRouterDefinition(serviceProxy: boolean): NetworkDefinition {
  return {
    kind: "kube-router",
    id: serviceProxy ? "kube-router-ipvs" : "kube-router",
    conflist: KUBE_ROUTER_CONFLIST,
    owns: [
      ...["/sys/class/net/kube-bridge", "/sys/class/net/kube-dummy-if", "/var/lib/kube-router"],
      ...["/var/lib/cni/networks/mynet", "/var/lib/cni/networks/kubernetes"],
    ],
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
    images: Object.values(KUBE_ROUTER_IMAGES),
    rollouts: [{ kind: "daemonset", namespace: "kube-system", name: "kube-router" }],
    ownEgress: false,
    replacesKubeProxy: serviceProxy,
    notApplicable: [],
  };
}
