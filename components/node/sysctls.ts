/**
 * Kernel settings that packets between pods need. Forwarding joins the bridge to the node's link
 * (https://kubernetes.io/docs/setup/production-environment/container-runtimes/). Without bridge-nf-call-iptables a reply
 * from a pod on the same bridge skips the kernel's NAT, and a ClusterIP with an endpoint on the same node times out;
 * neither kubeadm nor kube-proxy of v1.36 sets or checks it.
 */
export const NETWORK_SYSCTLS: Readonly<Record<string, string>> = {
  "net.ipv4.ip_forward": "1",
  "net.bridge.bridge-nf-call-iptables": "1",
};

/**
 * The conntrack timeouts that kube-proxy would set, in seconds. Its own setting of them is off because it stops when one
 * of them is read-only, as it is in a lab node.
 */
export const CONNTRACK_SYSCTLS: Readonly<Record<string, string>> = {
  "net.netfilter.nf_conntrack_tcp_timeout_established": "86400",
  "net.netfilter.nf_conntrack_tcp_timeout_close_wait": "3600",
};

/** Kernel modules behind the settings and the data path, for /etc/modules-load.d; built in on some kernels. */
export const MODULES = ["overlay", "br_netfilter"];

/** Text of a sysctl.d file. A leading minus, where `optional`, lets a setting that the kernel refuses pass. */
export function sysctlFile(settings: Readonly<Record<string, string>>, optional = false): string {
  return Object.entries(settings)
    .map(([key, value]) => `${optional ? "-" : ""}${key} = ${value}\n`)
    .join("");
}
