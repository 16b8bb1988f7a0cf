import { type Fault, NET } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: `${NET}; ip route add 10.244.2.0/25 via $net.10` },
  back: { w1: "ip route del 10.244.2.0/25" },
  claims: ["as-made"],
  cause: "w1: what is for 10.244.2.1 goes via {cp}, podnet made the route to 10.244.2.0/24 via {w2}",
} satisfies Fault;
