import { type Fault } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: "systemctl stop podnet-network" },
  back: { w1: "systemctl start podnet-network" },
  claims: ["as-made"],
  cause: "w1: podnet-network is inactive",
} satisfies Fault;
