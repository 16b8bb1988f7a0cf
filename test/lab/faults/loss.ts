import { type Fault, rule, UNRULE } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: rule("filter hook forward priority 0", "icmp type echo-request numgen random mod 100 < 10 drop") },
  back: { w1: UNRULE },
  claims: ["loss"],
  cause:
    /^w1: the rule `icmp type echo-request numgen random mod 100 < 10 drop` in nft's chain ip planted planted drops packets.* of \d+ packets/,
} satisfies Fault;
