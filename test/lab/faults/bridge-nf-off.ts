import { type Fault, HOLD, LET_GO } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: `${HOLD}; sysctl -qw net.bridge.bridge-nf-call-iptables=0` },
  back: { w1: `sysctl -qw net.bridge.bridge-nf-call-iptables=1; ${LET_GO}` },
  claims: ["as-made", "service"],
  cause: "w1: net.bridge.bridge-nf-call-iptables is 0, podnet made it 1",
} satisfies Fault;
