import { CRI_SOCKET } from "../../node/files";

/** A JSON value, as kubeadm's configuration is written. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** What decides a control plane's kubeadm configuration. */
export interface InitInput {
  readonly clusterName: string;
  readonly nodeName: string;
  readonly internalIp: string;
  /** Further names and addresses in the API server's certificate, such as the host that podnet reaches it by. */
  readonly certSans: readonly string[];
  readonly kubernetesVersion: string;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly dnsDomain: string;
  /** Whether the control plane keeps the taint that keeps other pods away. */
  readonly tainted: boolean;
  readonly ignorePreflightErrors: readonly string[];
}

/** Text in kubeadm's configuration that the node replaces by the mode of kube-proxy that it can run. */
export const PROXY_MODE = "@PROXY_MODE@";

const KUBEADM = "kubeadm.k8s.io/v1beta4";
const PATCHES = "/var/lib/podnet/kubeadm-patches";

function nodeRegistration(name: string, internalIp: string, tainted: boolean, ignore: readonly string[]): Json {
  return {
    name,
    criSocket: CRI_SOCKET,
    imagePullPolicy: "IfNotPresent",
    kubeletExtraArgs: [{ name: "node-ip", value: internalIp }],
    ignorePreflightErrors: ignore,
    taints: tainted ? [{ key: "node-role.kubernetes.io/control-plane", effect: "NoSchedule" }] : [],
  };
}

/**
 * kubeadm's configuration of the control plane, one document a line (JSON is YAML). The controller manager allocates no
 * pod CIDRs, since they are declared, and kube-proxy leaves the kernel's conntrack settings to sysctl.d.
 * Fields: https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/.
 */
export function initConfig(input: InitInput): string {
  const documents: Json[] = [
    {
      apiVersion: KUBEADM,
      kind: "InitConfiguration",
      localAPIEndpoint: { advertiseAddress: input.internalIp, bindPort: 6443 },
      nodeRegistration: nodeRegistration(input.nodeName, input.internalIp, input.tainted, input.ignorePreflightErrors),
      patches: { directory: PATCHES },
    },
    {
      apiVersion: KUBEADM,
      kind: "ClusterConfiguration",
      clusterName: input.clusterName,
      kubernetesVersion: input.kubernetesVersion,
      networking: { podSubnet: input.podCidr, serviceSubnet: input.serviceCidr, dnsDomain: input.dnsDomain },
      apiServer: { certSANs: [...new Set([input.internalIp, ...input.certSans])] },
      controllerManager: { extraArgs: [{ name: "allocate-node-cidrs", value: "false" }] },
    },
    { apiVersion: "kubelet.config.k8s.io/v1beta1", kind: "KubeletConfiguration", cgroupDriver: "systemd" },
    {
      apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
      kind: "KubeProxyConfiguration",
      mode: PROXY_MODE,
      conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
    },
  ];
  return documents.map((document) => `${JSON.stringify(document)}\n`).join("---\n");
}

/** What decides a worker's kubeadm configuration. */
export interface JoinInput {
  readonly nodeName: string;
  readonly internalIp: string;
  /** API server as `host:port`. */
  readonly endpoint: string;
  readonly token: string;
  /** `sha256:` and the hexadecimal hash of the cluster CA's public key. */
  readonly caCertHash: string;
  readonly ignorePreflightErrors: readonly string[];
}

/** kubeadm's configuration of a worker that joins by a bootstrap token, trusting one pinned CA. Holds a secret. */
export function joinConfig(input: JoinInput): string {
  return `${JSON.stringify({
    apiVersion: KUBEADM,
    kind: "JoinConfiguration",
    discovery: {
      bootstrapToken: { apiServerEndpoint: input.endpoint, token: input.token, caCertHashes: [input.caCertHash] },
    },
    nodeRegistration: nodeRegistration(input.nodeName, input.internalIp, false, input.ignorePreflightErrors),
    patches: { directory: PATCHES },
  } satisfies Json)}\n`;
}
