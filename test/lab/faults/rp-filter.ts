import { type Fault, NET } from "./fault";

/** What w2 sends to w1 comes in by another link than w1 answers by, and w1 drops it for that. */
export default {
  networks: ["bridge"],
  plant: {
    w1: `ip link add other0 link eth0 address 02:00:00:00:00:77 type macvlan mode bridge
ip link set other0 up; sysctl -qw net.ipv4.conf.other0.rp_filter=1`,
    w2: `${NET}; ip neigh replace $net.11 lladdr 02:00:00:00:00:77 dev eth0 nud permanent`,
  },
  back: { w1: "ip link del other0", w2: `${NET}; ip neigh del $net.11 dev eth0` },
  claims: ["pod-to-pod", "node-to-pod", "pod-to-node"],
  cause: /^w1: rp_filter drops packets there: they come in by another link than the answer would leave by/,
} satisfies Fault;
