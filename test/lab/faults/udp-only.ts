import { type Fault, rule, UNRULE } from "./fault";

export default {
  networks: ["bridge", "flannel"],
  plant: { w1: rule("filter hook forward priority -300", 'oifname "eth0" meta l4proto udp drop') },
  back: { w1: UNRULE },
  claims: ["pod-to-pod", "node-to-pod", "pod-to-node"],
  cause: /^w1: the rule `oifname "eth0" meta l4proto udp drop` in nft's chain ip planted planted drops packets/,
} satisfies Fault;
