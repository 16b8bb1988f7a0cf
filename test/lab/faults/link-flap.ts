import { type Fault, portOf } from "./fault";

export default {
  networks: ["bridge"],
  plant: {
    w1: `${portOf("probe-a")}; echo "$port" >/root/port
systemd-run -q --unit planted bash -c "while :; do ip link set $port down; sleep 0.15; ip link set $port up; sleep 0.35; done"`,
  },
  back: { w1: `systemctl stop planted; ip link set "$(cat /root/port)" up; rm /root/port; sleep 1` },
  claims: [],
  perhaps: [
    "as-made",
    "pod-to-pod",
    "node-to-pod",
    "pod-to-node",
    "fragments",
    "mtu",
    "loss",
    "service",
    "endpoints",
    "fresh-pod",
  ],
  // A status that is read while it is down tells that.
  cause:
    /^w1: (its link veth\w+ lost its carrier \d+ times while packets were followed|ports are down of cni0: veth\w+)/,
} satisfies Fault;
