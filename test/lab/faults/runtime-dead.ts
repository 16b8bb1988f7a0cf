import { type Fault } from "./fault";

export default {
  plant: { w1: "systemctl stop containerd" },
  back: { w1: "systemctl start containerd; sleep 5" },
  claims: ["as-made"],
  cause: "w1: containerd is inactive",
} satisfies Fault;
