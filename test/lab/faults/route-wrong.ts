import { type Fault, HOLD, LET_GO, NET } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: `${HOLD}; ${NET}; ip route replace 10.244.2.0/24 via $net.10 proto 71` },
  back: { w1: `${NET}; ip route replace 10.244.2.0/24 via $net.12 proto 71; ${LET_GO}` },
  claims: ["as-made"],
  cause: "w1: the route to 10.244.2.0/24 goes via {cp}, podnet made it via {w2}",
} satisfies Fault;
