import { assignments, writeFile } from "../../node/quote";
import { CRI_SOCKET, SET_PATH } from "../../node/files";
import { initConfig, type InitInput, joinConfig, type JoinInput, type Json, PROXY_MODE } from "./config";

const PATCH_FILE = "/var/lib/podnet/kubeadm-patches/kubeletconfiguration0+merge.json";

/** Takes off a machine what kubeadm put there; what is not there is no fault. */
const RESET = `kubeadm reset --force --cri-socket ${CRI_SOCKET} >/dev/null 2>&1 || true`;

/**
 * Writes this node's changes to the cluster's KubeletConfiguration. Only a host with cgroup v1 is told to put up with it
 * (the kubelet refuses it by default since v1.35), which the node finds out itself.
 */
function kubeletPatch(kubeletConfig: Readonly<Record<string, Json>>): string {
  const plain = `${JSON.stringify(kubeletConfig)}\n`;
  const v1 = `${JSON.stringify({ ...kubeletConfig, failCgroupV1: false })}\n`;
  return `ignore=
if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then
${writeFile(PATCH_FILE, plain)}
else
# kubeadm's check of the system fails on cgroup v1 as such.
ignore=--ignore-preflight-errors=SystemVerification
${writeFile(PATCH_FILE, v1)}
fi
`;
}

/** Label of the workers that podnet joined. */
const MANAGED_LABEL = "podnet.dev/managed";

const SET_POD_CIDR = `
# Sets Node.spec.podCIDR, which Kubernetes lets nobody change afterwards.
set_pod_cidr() {
  local kubeconfig=$1 seen
  for _ in $(seq 60); do
    seen=$(kubectl --kubeconfig "$kubeconfig" get node "$node" -o 'jsonpath={.metadata.name}={.spec.podCIDR}' 2>/dev/null) && break
    sleep 0.5
  done
  case $seen in
    "$node=$pod_cidr") ;;
    "$node=") kubectl --kubeconfig "$kubeconfig" patch node "$node" -p '{"spec":{"podCIDR":"'"$pod_cidr"'","podCIDRs":["'"$pod_cidr"'"]}}' >/dev/null ;;
    "") echo "node $node did not register with the API server within 30 s; see journalctl -u kubelet on it" >&2; return 1 ;;
    *) echo "node $node has pod CIDR \${seen#*=} and cannot change to $pod_cidr; delete the node and join it anew" >&2; return 1 ;;
  esac
}
`;

/** What the control plane's script needs besides kubeadm's configuration. */
export interface InitScriptInput extends InitInput {
  /** This node's own pod CIDR. */
  readonly nodePodCidr: string;
  readonly kubeProxyMode: "auto" | "nftables" | "iptables";
  readonly kubeletConfig: Readonly<Record<string, Json>>;
}

/**
 * Makes the machine a control plane, or leaves a working one as it is. Prints one JSON line: the admin's kubeconfig in
 * base64 and the CA's hash, to be kept secret.
 */
export function initScript(input: InitScriptInput): string {
  return `${assignments({ node: input.nodeName, pod_cidr: input.nodePodCidr, proxy_mode: input.kubeProxyMode })}
${SET_PATH}
admin=/etc/kubernetes/admin.conf
${SET_POD_CIDR}
if [ "$proxy_mode" = auto ]; then
  # kube-proxy asks for kernel 5.13 (https://kubernetes.io/docs/reference/networking/virtual-ips/#proxy-mode-nftables).
  proxy_mode=iptables
  if printf '5.13\\n%s\\n' "$(uname -r)" | sort -CV && nft -c add table ip podnet-probe 2>/dev/null; then proxy_mode=nftables; fi
fi
${kubeletPatch(input.kubeletConfig)}
${writeFile("/var/lib/podnet/kubeadm-init.yaml", initConfig(input), "0600")}
sed -i "s/${PROXY_MODE}/$proxy_mode/" /var/lib/podnet/kubeadm-init.yaml
if ! { [ -e /var/lib/podnet/initialized ] && kubectl --kubeconfig "$admin" --request-timeout 10s get --raw /readyz >/dev/null 2>&1; }; then
  if [ -e /var/lib/podnet/initialized ]; then
    systemctl restart containerd kubelet
    for _ in $(seq 120); do
      if kubectl --kubeconfig "$admin" --request-timeout 5s get --raw /readyz >/dev/null 2>&1; then break; fi
      sleep 1
    done
    kubectl --kubeconfig "$admin" --request-timeout 10s get --raw /readyz >/dev/null || {
      echo "the API server of $node does not answer; see crictl ps -a on it" >&2; exit 1; }
  else
    # What an interrupted run left would stop kubeadm's preflight checks.
    if [ -d /etc/kubernetes/manifests ] || [ -d /var/lib/etcd/member ]; then
      ${RESET}
    fi
    log=$(mktemp); trap 'rm -f "$log"' EXIT
    kubeadm init --config /var/lib/podnet/kubeadm-init.yaml $ignore --skip-token-print --skip-certificate-key-print >"$log" 2>&1 || { tail -n 40 "$log" >&2; exit 1; }
    touch /var/lib/podnet/initialized
  fi
fi
set_pod_cidr "$admin"
hash=$(openssl x509 -pubkey -noout -in /etc/kubernetes/pki/ca.crt | openssl pkey -pubin -outform der | sha256sum | cut -d' ' -f1)
printf '{"kubeconfig":"%s","caCertHash":"sha256:%s"}\\n' "$(base64 -w0 "$admin")" "$hash"
`;
}

/** Undoes a control plane: etcd's data, certificates and manifests go; the runtime stays. */
export function resetScript(): string {
  return `${SET_PATH}
if [ -x /usr/local/bin/kubeadm ]; then
  ${RESET}
fi
# kube-proxy leaves its rules to the next one, and there is none.
nft delete table ip kube-proxy 2>/dev/null || true
nft delete table ip6 kube-proxy 2>/dev/null || true
if iptables-save 2>/dev/null | grep -q KUBE-PROXY; then iptables-save | grep -v KUBE- | iptables-restore; fi
rm -rf /var/lib/podnet/initialized /var/lib/podnet/joined /var/lib/podnet/kubeadm-patches /var/lib/podnet/kubeadm-init.yaml
`;
}

/** Mints a bootstrap token on the control plane, valid for a day, and prints it: a secret. */
export function tokenScript(): string {
  return `/usr/local/bin/kubeadm --kubeconfig /etc/kubernetes/admin.conf token create --ttl 24h 2>/dev/null`;
}

/** Evicts a node's pods, for two minutes at most, and takes it out of the cluster. */
const REMOVE_NODE = `
remove_node() {
  kubectl drain "$1" --ignore-daemonsets --delete-emptydir-data --force --timeout 120s >&2 || true
  kubectl --request-timeout 20s delete node "$1" --ignore-not-found >&2
}
`;

/** Takes a worker out of the cluster, if both are still there; runs on the control plane. */
export function removeNodeScript(node: string): string {
  return `${assignments({ node })}
${SET_PATH}
export KUBECONFIG=/etc/kubernetes/admin.conf
${REMOVE_NODE}
[ -e "$KUBECONFIG" ] || exit 0
kubectl --request-timeout 20s get node "$node" >/dev/null 2>&1 || exit 0
remove_node "$node"
`;
}

/** Waits until a node has registered and gives it its declared pod CIDR; runs on the control plane. */
export function registerScript(node: string, nodePodCidr: string): string {
  return `${assignments({ node, pod_cidr: nodePodCidr })}
${SET_PATH}
${SET_POD_CIDR}
set_pod_cidr /etc/kubernetes/admin.conf
kubectl --kubeconfig /etc/kubernetes/admin.conf label node "$node" --overwrite ${MANAGED_LABEL}=yes >/dev/null
`;
}

/**
 * Takes the workers out of the cluster that podnet joined and that are no longer declared, and their pods with them; runs on
 * the control plane, before the others forget the way to them.
 */
export function membersScript(nodes: readonly string[]): string {
  return `${assignments({ declared: ` ${[...nodes].sort().join(" ")} ` })}
${SET_PATH}
export KUBECONFIG=/etc/kubernetes/admin.conf
${REMOVE_NODE}
for node in $(kubectl get nodes -l ${MANAGED_LABEL}=yes -o 'jsonpath={.items[*].metadata.name}'); do
  case $declared in *" $node "*) continue ;; esac
  remove_node "$node"
  # The garbage collector would take most of a minute, in which Services still send requests there.
  kubectl delete pods --all-namespaces --field-selector "spec.nodeName=$node" --force --grace-period 0 >&2 2>/dev/null || true
done
`;
}

/** Waits until every node is Ready, which takes a network; runs on the control plane. */
export function readyScript(nodes: readonly string[]): string {
  return `${assignments({ nodes: nodes.map((node) => `node/${node}`).join(" ") })}
/usr/local/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf wait --for condition=Ready --timeout 90s $nodes >/dev/null
`;
}

/**
 * Joins the machine to the cluster whose CA the configuration pins, or leaves one that has joined as it is. Holds the
 * bootstrap token: a secret.
 */
export function joinScript(input: JoinInput & { readonly kubeletConfig: Readonly<Record<string, Json>> }): string {
  return `${assignments({ ca: input.caCertHash })}
${SET_PATH}
${kubeletPatch(input.kubeletConfig)}
config=/run/podnet-join.json
log=$(mktemp)
trap 'rm -f "$config" "$log"' EXIT
${writeFile("/run/podnet-join.json", joinConfig(input), "0600")}
if [ "$(cat /var/lib/podnet/joined 2>/dev/null)" != "$ca" ] || [ ! -e /etc/kubernetes/kubelet.conf ]; then
  if [ -e /etc/kubernetes/kubelet.conf ] || [ -e /etc/kubernetes/bootstrap-kubelet.conf ] || [ -e /etc/kubernetes/pki/ca.crt ]; then
    ${RESET}
  fi
  kubeadm join --config "$config" $ignore >"$log" 2>&1 || { tail -n 40 "$log" >&2; exit 1; }
  printf '%s\\n' "$ca" >/var/lib/podnet/joined
fi
systemctl is-active -q kubelet || systemctl start kubelet
`;
}
