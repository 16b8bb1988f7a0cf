import { type Fault } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: "mv /opt/cni/bin/host-local /root/host-local" },
  back: { w1: "mv /root/host-local /opt/cni/bin/host-local" },
  claims: ["as-made", "fresh-pod"],
  cause: /^w1: .*host-local/,
} satisfies Fault;
