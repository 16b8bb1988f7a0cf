import { type Fault, NETWORKS } from "./fault";

export default {
  networks: NETWORKS,
  plant: { w1: "systemctl stop kubelet" },
  back: { w1: "systemctl start kubelet; sleep 5" },
  claims: ["as-made"],
  cause: "w1: kubelet is inactive",
} satisfies Fault;
