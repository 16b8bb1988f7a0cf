import type { Fault } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: "ip link add other0 type bridge; ip address add 10.244.2.1/25 dev other0; ip link set other0 up" },
  back: { w1: "ip link del other0" },
  claims: ["as-made", "pod-to-pod", "node-to-pod", "pod-to-node"],
  cause: "w1: what is for 10.244.2.1 goes by lo, podnet made the route to 10.244.2.0/24 via {w2}",
} satisfies Fault;
