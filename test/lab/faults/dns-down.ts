import { ADMIN, DNS_BACK, type Fault, NETWORKS } from "./fault";

export default {
  networks: NETWORKS,
  plant: {
    cp: `${ADMIN} -n kube-system scale deployment coredns --replicas=0
${ADMIN} -n kube-system wait --for=delete pod -l k8s-app=kube-dns --timeout=60s`,
  },
  back: { cp: `${ADMIN} -n kube-system scale deployment coredns --replicas=2; ${DNS_BACK}` },
  claims: ["dns"],
  cause: /^the cluster's DNS: /,
} satisfies Fault;
