import { type Fault, rule, UNRULE } from "./fault";

export default {
  networks: ["bridge"],
  plant: {
    w2: rule(
      "filter hook forward priority 0",
      "ip saddr 10.244.1.0/24 ip daddr 10.244.2.0/24 ct direction original drop",
    ),
  },
  back: { w2: UNRULE },
  claims: ["pod-to-pod"],
  cause:
    /^w2: the rule `ip saddr 10\.244\.1\.0\/24 ip daddr 10\.244\.2\.0\/24 ct direction original drop` in nft's chain ip planted planted/,
} satisfies Fault;
