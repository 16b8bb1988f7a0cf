import { ADMIN, type Fault, NETWORKS, PROXY_BACK } from "./fault";

/** Keeps the DaemonSet from making the pods of other nodes anew when its template changes. */
const ON_DELETE = `{"spec":{"updateStrategy":{"type":"OnDelete","rollingUpdate":null}}}`;
const ELSEWHERE = `{"spec":{"template":{"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"kubernetes.io/hostname","operator":"NotIn","values":["w1"]}]}]}}}}}}}`;
const patch = (text: string): string => `${ADMIN} -n kube-system patch daemonset kube-proxy -p '${text}'`;

export default {
  networks: NETWORKS,
  plant: {
    cp: `${patch(ON_DELETE)}; ${patch(ELSEWHERE)}
for _ in $(seq 60); do ${ADMIN} -n kube-system get pods -l k8s-app=kube-proxy -o wide | grep -q ' w1 ' || break; sleep 1; done`,
    w1: "nft delete table ip kube-proxy",
  },
  back: {
    cp: `${patch('{"spec":{"template":{"spec":{"affinity":null}}}}')}; ${patch('{"spec":{"updateStrategy":{"type":"RollingUpdate"}}}')}`,
    w1: PROXY_BACK,
  },
  claims: ["service"],
  cause: /^w1: it has no rules for ClusterIPs, which kube-proxy makes: none runs there, such as those to 10\.96\./,
} satisfies Fault;
