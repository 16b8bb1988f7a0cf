import { type Fault, NETWORKS, rule, UNRULE } from "./fault";

export default {
  networks: NETWORKS,
  plant: { w2: rule("filter hook forward priority 0", "ip saddr 10.244.0.0/16 drop") },
  back: { w2: UNRULE },
  claims: ["pod-to-pod", "node-to-pod", "pod-to-node", "egress"],
  cause: /^w2: the rule `ip saddr 10\.244\.0\.0\/16 drop` in nft's chain ip planted planted drops packets/,
} satisfies Fault;
