import { type Fault } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w2: "ip route add blackhole 10.244.1.0/25" },
  back: { w2: "ip route del blackhole 10.244.1.0/25" },
  claims: ["as-made", "pod-to-pod", "node-to-pod", "pod-to-node"],
  cause: "w2: there is no way to 10.244.1.1 (Invalid argument), podnet made the route to 10.244.1.0/24 via {w1}",
} satisfies Fault;
