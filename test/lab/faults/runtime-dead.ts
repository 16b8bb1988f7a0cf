import { type Fault, NETWORKS } from "./fault";

export default {
  networks: NETWORKS,
  plant: { w1: "systemctl stop containerd" },
  back: { w1: "systemctl start containerd; sleep 5" },
  claims: ["as-made"],
  cause: "w1: containerd is inactive",
} satisfies Fault;
