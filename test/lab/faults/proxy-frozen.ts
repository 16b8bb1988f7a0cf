import { FREEZE_PROXY, type Fault, THAW_PROXY } from "./fault";

export default {
  // Cilium serves its pods itself.
  networks: ["bridge", "flannel", "kube-router"],
  plant: { w1: FREEZE_PROXY },
  back: { w1: THAW_PROXY },
  claims: ["endpoints"],
  cause:
    /^w1: its rules for ClusterIPs do not follow the endpoints of Services, though kube-proxy runs there, such as those to probe without probe-a-\w+ \(1 proof/,
} satisfies Fault;
