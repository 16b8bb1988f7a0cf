import { corefile, DNS_BACK, type Fault } from "./fault";

export default {
  networks: ["bridge", "flannel", "kube-router", "cilium"],
  plant: { cp: corefile("s|forward . /etc/resolv.conf|forward . 127.0.0.1|") },
  back: { cp: `${corefile("s|forward . 127.0.0.1|forward . /etc/resolv.conf|")}; ${DNS_BACK}` },
  claims: ["dns"],
  cause: /^the cluster's DNS: .*[Ll]oop/,
} satisfies Fault;
