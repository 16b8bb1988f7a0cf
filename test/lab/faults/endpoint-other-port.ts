import { type Fault, NETWORKS } from "./fault";

export default {
  networks: NETWORKS,
  plant: {
    cp: `kubectl --kubeconfig /etc/kubernetes/admin.conf -n default apply -f - <<'END'
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"stray","namespace":"default","labels":{"app":"web"}},
 "spec":{"nodeName":"w2","terminationGracePeriodSeconds":0,"containers":[{"name":"main","image":"registry.k8s.io/e2e-test-images/agnhost:2.63.0","args":["netexec","--http-port=9999","--udp-port=9998"]}]}}
END
kubectl --kubeconfig /etc/kubernetes/admin.conf -n default wait --for=condition=Ready pod/stray --timeout=60s`,
  },
  back: { cp: "kubectl --kubeconfig /etc/kubernetes/admin.conf -n default delete pod stray --wait" },
  claims: ["service"],
  cause: "Service default/web: its pod stray on w2 does not answer on its targetPort 8080: ",
} satisfies Fault;
