import { type Fault } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: "ip rule add to 10.244.2.0/24 lookup 100 priority 100; ip route add unreachable default table 100" },
  back: { w1: "ip rule del to 10.244.2.0/24 lookup 100 priority 100; ip route flush table 100" },
  claims: ["as-made", "pod-to-pod", "node-to-pod", "pod-to-node"],
  cause: "w1: there is no way to 10.244.2.1 (No route to host), podnet made the route to 10.244.2.0/24 via {w2}",
} satisfies Fault;
