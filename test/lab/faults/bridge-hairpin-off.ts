import { type Fault, portOf } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w2: `${portOf("probe-b")}; bridge link set dev "$port" hairpin off` },
  back: { w2: `${portOf("probe-b")}; bridge link set dev "$port" hairpin on` },
  claims: ["as-made", "hairpin"],
  cause: /^w2: hairpin is off on ports of cni0: veth\w+/,
} satisfies Fault;
