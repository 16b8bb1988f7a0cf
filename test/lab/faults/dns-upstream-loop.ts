import { ADMIN, DNS_BACK, type Fault, NETWORKS, corefile } from "./fault";

export default {
  networks: NETWORKS,
  plant: {
    // It is ready for a moment before it ends.
    cp: `${corefile("s|forward . /etc/resolv.conf|forward . 127.0.0.1|")}
for _ in $(seq 90); do [ "$(${ADMIN} -n kube-system get pods -l k8s-app=kube-dns | grep -c CrashLoopBackOff)" != 2 ] || break; sleep 1; done`,
  },
  back: { cp: `${corefile("s|forward . 127.0.0.1|forward . /etc/resolv.conf|")}; ${DNS_BACK}` },
  claims: ["dns"],
  cause: /^the cluster's DNS: .*[Ll]oop/,
} satisfies Fault;
