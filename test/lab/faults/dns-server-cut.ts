import { type Fault, rule, UNRULE } from "./fault";

export default {
  networks: ["bridge"],
  plant: {
    cp: `kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system get pods -l k8s-app=kube-dns -o 'jsonpath={.items[0].status.podIP} {.items[0].spec.nodeName}' >/root/dns; read -r address _ </root/dns || true
${rule("filter hook forward priority 0", "udp dport 53 ip daddr DNS drop").replace("DNS", "$address").replace("'END'", "END")}`,
  },
  back: { cp: `${UNRULE}; rm -f /root/dns` },
  claims: ["dns"],
  cause: /^cp: the rule `udp dport 53 ip daddr 10\.244\.\d+\.\d+ drop` in nft's chain ip planted planted drops packets/,
} satisfies Fault;
