import { ADMIN, FREEZE_PROXY, type Fault, NETWORKS, THAW_PROXY } from "./fault";

const STALE =
  /^w1: its rules for ClusterIPs do not follow the endpoints of Services, though kube-proxy runs there, such as those to 10\.96\.\d+\.\d+ \(4 proofs/;

export default {
  networks: NETWORKS,
  plant: {
    w1: FREEZE_PROXY,
    cp: `pod=$(${ADMIN} -n podnet-check get pods --field-selector spec.nodeName=w2 -o name | grep /probe-a-)
${ADMIN} -n podnet-check delete "$pod" --wait
${ADMIN} -n podnet-check rollout status daemonset/probe-a --timeout=60s`,
  },
  back: { w1: `${THAW_PROXY}; sleep 3` },
  claims: ["service"],
  cause: STALE,
  // Cilium serves its pods itself, and leaves the node to kube-proxy.
  on: { cilium: { cause: new RegExp(STALE.source.replace("4 proofs", "2 proofs")) } },
} satisfies Fault;
