import { type Fault, HOLD, LET_GO } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: `${HOLD}; nft flush ruleset` },
  back: {
    w1: `${LET_GO}; for _ in $(seq 60); do nft list table ip podnet 2>/dev/null | grep -q masquerade && nft list table ip kube-proxy 2>/dev/null | grep -q 10.96.0.10 && exit 0; sleep 1; done; exit 1`,
  },
  claims: ["as-made", "service", "egress"],
  cause: /^w1: it has no rules for ClusterIPs, which kube-proxy makes/,
  causes: 2,
} satisfies Fault;
