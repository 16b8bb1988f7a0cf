import { type Fault, HOLD, LET_GO } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: `${HOLD}; ip address del 10.244.1.1/24 dev cni0; ip address add 10.9.0.1/24 dev cni0` },
  back: {
    w1: `ip address del 10.9.0.1/24 dev cni0; ip address add 10.244.1.1/24 dev cni0 2>/dev/null || true; ${LET_GO}`,
  },
  claims: ["as-made", "pod-to-pod", "node-to-pod", "pod-to-node", "fresh-pod", "endpoints", "egress"],
  cause: "w1: the bridge cni0 has the address 10.9.0.1/24, and the pods' gateway is 10.244.1.1/24",
} satisfies Fault;
