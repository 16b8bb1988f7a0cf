import { type Fault, portOf } from "./fault";

export default {
  networks: ["bridge"],
  plant: {
    w1: ["probe-a", "probe-b"].map((probe) => `${portOf(probe)}; bridge link set dev "$port" isolated on`).join("\n"),
  },
  back: {
    w1: ["probe-a", "probe-b"].map((probe) => `${portOf(probe)}; bridge link set dev "$port" isolated off`).join("\n"),
  },
  claims: ["as-made", "pod-to-pod", "hairpin"],
  cause: /^w1: pods are isolated from each other on ports of cni0: veth\w+, veth\w+ \(6 proofs/,
} satisfies Fault;
