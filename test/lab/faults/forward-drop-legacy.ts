import { type Fault } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w2: "iptables-legacy -P FORWARD DROP" },
  back: { w2: "iptables-legacy -P FORWARD ACCEPT" },
  claims: ["pod-to-pod", "node-to-pod", "pod-to-node", "egress"],
  cause: /^w2: the policy DROP of the chain FORWARD in the table filter of iptables-legacy drops packets/,
} satisfies Fault;
