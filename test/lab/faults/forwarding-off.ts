import { type Fault, HOLD, LET_GO } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: `${HOLD}; sysctl -qw net.ipv4.ip_forward=0` },
  back: { w1: `sysctl -qw net.ipv4.ip_forward=1; ${LET_GO}` },
  claims: ["as-made", "pod-to-pod", "node-to-pod", "pod-to-node", "egress"],
  cause: "w1: net.ipv4.ip_forward is 0, podnet made it 1",
} satisfies Fault;
