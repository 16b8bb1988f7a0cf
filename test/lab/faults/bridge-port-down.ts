import { type Fault, portOf } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: `${portOf("probe-a")}; ip link set "$port" down` },
  back: { w1: `${portOf("probe-a")}; ip link set "$port" up` },
  claims: ["as-made", "pod-to-pod", "node-to-pod", "pod-to-node", "endpoints"],
  cause: /^w1: ports are down of cni0: veth\w+/,
} satisfies Fault;
