import { type Fault, rule, UNRULE } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: rule("filter hook input priority 0", "ip saddr 10.244.0.0/16 tcp dport 28080 drop") },
  back: { w1: UNRULE },
  claims: ["pod-to-node"],
  cause:
    /^w1: the rule `ip saddr 10\.244\.0\.0\/16 tcp dport 28080 drop` in nft's chain ip planted planted drops packets/,
} satisfies Fault;
