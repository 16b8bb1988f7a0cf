import { FREEZE_PROXY, type Fault, NETWORKS, PROXY_BACK, THAW_PROXY } from "./fault";

export default {
  networks: NETWORKS,
  plant: { w1: `${FREEZE_PROXY}; nft delete table ip kube-proxy` },
  back: { w1: `${THAW_PROXY}; ${PROXY_BACK}` },
  claims: ["service"],
  cause: /^w1: it has no rules for ClusterIPs, which kube-proxy makes, though kube-proxy runs there, such as/,
} satisfies Fault;
