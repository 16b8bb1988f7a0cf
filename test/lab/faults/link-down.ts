import { type Fault, NETWORKS } from "./fault";

export default {
  networks: NETWORKS,
  plant: { w1: "ip -4 route show default >/root/default; ip link set eth0 down" },
  back: { w1: "ip link set eth0 up; ip route add $(cat /root/default); rm /root/default; sleep 35" },
  unable: /cannot reach every node over SSH:\n.*w1/,
} satisfies Fault;
