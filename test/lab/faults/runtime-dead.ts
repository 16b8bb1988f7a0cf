import { type Fault } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: "systemctl stop containerd" },
  back: { w1: "systemctl start containerd; sleep 5" },
  claims: ["as-made"],
  cause: "w1: containerd is inactive",
} satisfies Fault;
