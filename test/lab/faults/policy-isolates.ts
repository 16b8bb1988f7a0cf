import { ADMIN, type Fault } from "./fault";

export default {
  networks: ["kube-router", "cilium"],
  plant: {
    cp: `${ADMIN} apply -f - <<'END'
{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"planted","namespace":"podnet-check"},
 "spec":{"podSelector":{},"policyTypes":["Ingress"]}}
END
sleep 30`,
  },
  back: { cp: `${ADMIN} -n podnet-check delete networkpolicy planted; sleep 30` },
  claims: ["pod-to-pod", "node-to-pod"],
  cause: /^NetworkPolicy podnet-check\/planted: it holds back what the check asks \(\d+ proofs failed by it\)$/,
} satisfies Fault;
