import { type Fault } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: "ip link set cni0 down" },
  back: { w1: "ip link set cni0 up" },
  claims: ["as-made", "pod-to-pod", "node-to-pod", "pod-to-node", "endpoints", "egress"],
  cause: "w1: the bridge cni0 is down",
} satisfies Fault;
