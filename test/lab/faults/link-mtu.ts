import { type Fault } from "./fault";

export default {
  networks: ["bridge", "flannel", "kube-router"],
  plant: { w1: "ip link set eth0 mtu 1400" },
  back: { w1: "ip link set eth0 mtu 1500" },
  claims: ["mtu", "fragments"],
  cause: "w1: its link eth0 has the MTU 1400, and its pods' links have 1500",
} satisfies Fault;
