import { type Fault, NET } from "./fault";

export default {
  networks: ["bridge", "cilium"],
  plant: { w1: `${NET}; ip neigh replace $net.12 lladdr 02:00:00:00:00:99 dev eth0 nud permanent` },
  back: { w1: `${NET}; ip neigh del $net.12 dev eth0` },
  claims: ["pod-to-pod", "node-to-pod", "pod-to-node"],
  cause: /^w1: it knows \S+\.12 by the link-layer address 02:00:00:00:00:99, and w2's is /,
} satisfies Fault;
