import { type Fault, NETWORKS } from "./fault";

export default {
  networks: NETWORKS,
  plant: {
    cp: `kubectl --kubeconfig /etc/kubernetes/admin.conf -n default patch service web -p '{"spec":{"selector":{"app":"wbe"}}}'`,
  },
  back: {
    cp: `kubectl --kubeconfig /etc/kubernetes/admin.conf -n default patch service web -p '{"spec":{"selector":{"app":"web"}}}'`,
  },
  claims: ["endpoints"],
  cause: "Service default/web: its selector is declared as app=web, and it selects app=wbe; endpoints are none",
} satisfies Fault;
