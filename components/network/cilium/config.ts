import { VXLAN_OVERHEAD } from "../definition";
import { CILIUM_CONFLIST } from "./definition";

/** Folder on a node where Cilium mounts the cgroup2 filesystem. */
export const CGROUP = "/run/cilium/cgroupv2";

/** What Cilium's own objects are made of. */
export interface CiliumInput {
  /** Pod CIDR of the whole cluster. */
  readonly podCidr: string;
  /** `native` or `tunnel`. */
  readonly routingMode: string;
  readonly kubeProxyReplacement: boolean;
  /** MTU of the pods' links in bytes; without it each node's own link decides. */
  readonly mtu?: number | undefined;
  /** API server as `host:port`, for an agent that has to do without kube-proxy. */
  readonly apiServer?: string | undefined;
}

/**
 * The entries of Cilium's ConfigMap (https://docs.cilium.io/en/v1.18/network/kubernetes/configuration/): addresses out of the
 * nodes' own pod CIDRs, no layer 7 proxy, no Hubble. Values that it leaves out are the agent's defaults.
 */
export function ciliumConfig(input: CiliumInput): Record<string, string> {
  const tunnel = input.routingMode === "tunnel";
  return {
    "identity-allocation-mode": "crd",
    debug: "false",
    "enable-policy": "default",
    "enable-ipv4": "true",
    "enable-ipv6": "false",
    ipam: "kubernetes",
    "k8s-require-ipv4-pod-cidr": "true",
    "cluster-name": "default",
    "cluster-id": "0",
    "routing-mode": input.routingMode,
    ...(tunnel
      ? { "tunnel-protocol": "vxlan" }
      : { "auto-direct-node-routes": "true", "ipv4-native-routing-cidr": input.podCidr }),
    "kube-proxy-replacement": String(input.kubeProxyReplacement),
    "enable-ipv4-masquerade": "true",
    "enable-bpf-masquerade": "false",
    "enable-xt-socket-fallback": "true",
    "enable-l7-proxy": "false",
    "enable-hubble": "false",
    "enable-envoy-config": "false",
    "external-envoy-proxy": "false",
    "disable-envoy-version-check": "true",
    "enable-tcx": "true",
    "datapath-mode": "veth",
    "preallocate-bpf-maps": "false",
    "bpf-map-dynamic-size-ratio": "0.0025",
    "bpf-lb-map-max": "65536",
    "bpf-policy-map-max": "16384",
    "monitor-aggregation": "medium",
    "enable-health-checking": "true",
    "enable-endpoint-health-checking": "true",
    "enable-health-check-nodeport": "true",
    "enable-k8s-networkpolicy": "true",
    "synchronize-k8s-nodes": "true",
    "agent-health-port": "9879",
    "cluster-health-port": "4240",
    "operator-api-serve-addr": "127.0.0.1:9234",
    "custom-cni-conf": "false",
    "cni-exclusive": "true",
    "cni-uninstall": "true",
    "cni-log-file": "/var/run/cilium/cilium-cni.log",
    "write-cni-conf-when-ready": `/host/etc/cni/net.d/${CILIUM_CONFLIST}`,
    procfs: "/host/proc",
    "bpf-root": "/sys/fs/bpf",
    "cgroup-root": CGROUP,
    // A change of network makes pods anew itself, and none loses its name.
    "unmanaged-pod-watcher-interval": "0",
    "set-cilium-is-up-condition": "true",
    "remove-cilium-node-taints": "true",
    "tofqdns-proxy-port": "0",
    "dnsproxy-enable-transparent-mode": "false",
    "mesh-auth-enabled": "false",
    "identity-gc-interval": "15m0s",
    "cilium-endpoint-gc-interval": "5m0s",
    "nodes-gc-interval": "5m0s",
    ...(input.mtu !== undefined && { mtu: String(input.mtu + (tunnel ? VXLAN_OVERHEAD : 0)) }),
  };
}
