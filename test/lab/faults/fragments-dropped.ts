import { type Fault, rule, UNRULE } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: rule("filter hook prerouting priority -450", "ip frag-off & 0x3fff != 0 drop") },
  back: { w1: UNRULE },
  claims: ["fragments"],
  cause: /^w1: /,
} satisfies Fault;
