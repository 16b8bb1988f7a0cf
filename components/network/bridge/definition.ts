import type { NetworkDefinition } from "../definition";

/** The bridge-plus-routes network. */
export function bridgeDefinition(): NetworkDefinition {
  return {
    kind: "bridge",
    id: "bridge",
    conflist: "10-podnet.conflist",
    overhead: 0,
    features: ["veth", "bridge", "br-netfilter", "nft-masquerade"],
    programs: [],
    images: [],
    rollouts: [],
    ownEgress: true,
    replacesKubeProxy: false,
    notApplicable: [{ promise: "policy", reason: "the bridge network has no policy engine" }],
  };
}
