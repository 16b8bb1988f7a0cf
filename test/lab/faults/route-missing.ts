import { type Fault, HOLD, LET_GO, NET } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: `${HOLD}; ip route del 10.244.2.0/24 proto 71` },
  back: { w1: `${NET}; ip route replace 10.244.2.0/24 via $net.12 proto 71; ${LET_GO}` },
  claims: ["as-made", "pod-to-pod", "node-to-pod", "pod-to-node"],
  cause: "w1: the route to 10.244.2.0/24 via {w2} is missing",
} satisfies Fault;
