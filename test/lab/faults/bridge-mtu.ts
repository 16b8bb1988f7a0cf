import { type Fault } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: "ip link set cni0 mtu 1400" },
  back: { w1: "ip link set cni0 mtu 1500" },
  claims: ["mtu"],
  cause: "w1: its link cni0 has the MTU 1400, and its pods' links have 1500",
} satisfies Fault;
