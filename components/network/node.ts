import { z } from "zod";
import { CONFLIST_PATH } from "./bridge/conflist";
import { SET_PATH, STATE_DIR } from "../node/files";
import { assignments } from "../node/quote";
import { installBridge, REMOVE_BRIDGE } from "./bridge/bridge";
import { installCilium, REMOVE_CILIUM } from "./cilium/cilium";
import { installFlannel, REMOVE_FLANNEL } from "./flannel/flannel";
import type { HostInput } from "./bridge/unit";
import { installKubeRouter, REMOVE_KUBE_ROUTER } from "./kube-router/kubeRouter";
import type { NetworkKind, NetworkPlan } from "./definition";

/** What decides the network of one node. */
export interface NodeInput extends HostInput {
  /** MTU of the pods' links in bytes; without it the node's own link decides. */
  readonly mtu?: number | undefined;
  /** What the control plane's switch printed; another one makes every node apply its network again. */
  readonly generation?: string | undefined;
}

/** File on a node that holds the id of the network that is on it. */
const MARKER = `${STATE_DIR}/network`;

const REMOVE: Readonly<Record<NetworkKind, string>> = {
  bridge: REMOVE_BRIDGE,
  flannel: REMOVE_FLANNEL,
  "kube-router": REMOVE_KUBE_ROUTER,
  cilium: REMOVE_CILIUM,
};

const KUBE_PROXY_RULES = `nft delete table ip kube-proxy 2>/dev/null || true
nft delete table ip6 kube-proxy 2>/dev/null || true
remove_chains 'KUBE-(SERVICES|SVC-|SEP-|SVL-|EXT-|FW-|NODEPORTS|PROXY|MARK-MASQ|MARK-DROP|POSTROUTING|FORWARD|EXTERNAL)'
`;

/** Functions that take a network off a node, whichever it is: they remove what is its own and nothing else. */
const LEAVE = `
# Chains and rules whose text has this, in every table of both families.
remove_chains() {
  local save rules
  for save in iptables-save ip6tables-save; do
    command -v "$save" >/dev/null || continue
    rules=$("$save" 2>/dev/null)
    if grep -qE -- "$1" <<<"$rules"; then grep -vE -- "$1" <<<"$rules" | "\${save/save/restore}"; fi
  done
}
# Sets go when no rule names them any more, and sets of sets before what they hold.
remove_sets() {
  local set
  command -v ipset >/dev/null || return 0
  for _ in 1 2; do
    for set in $(ipset list -n 2>/dev/null | grep -E -- "$1" || true); do ipset destroy "$set" 2>/dev/null || true; done
  done
}
# Routes to other nodes' pods that somebody else than podnet made.
remove_pod_routes() {
  ip -4 route show root "$pod_cidr" | awk '$2 == "via" { print $1, $3 }' | while read -r cidr via; do ip route delete "$cidr" via "$via" || true; done
}
${Object.entries(REMOVE)
  .map(([kind, script]) => `remove_${kind.replace("-", "_")}() {\n${script}}`)
  .join("\n")}
remove_network() {
  case $1 in
${Object.keys(REMOVE)
  .map((kind) => `    ${kind} | ${kind}-*) remove_${kind.replace("-", "_")} ;;`)
  .join("\n")}
  esac
  rm -f ${MARKER}
}
# Ends the pods of the old network, in good order first, while its plugin can still take their links away. Their objects,
# volumes and names stay: the kubelet makes them anew once it runs again.
stop_pods() {
  local pod container pods=
  for pod in $(crictl pods -q --state ready 2>/dev/null); do
    [ "$(crictl inspectp -o go-template --template '{{.status.linux.namespaces.options.network}}' "$pod" 2>/dev/null)" = NODE ] || pods="$pods $pod"
  done
  for pod in $pods; do
    {
      for container in $(crictl ps -q --pod "$pod" 2>/dev/null); do crictl -t 30s stop -t 10 "$container" >/dev/null 2>&1 & done
      wait
      crictl -t 30s stopp "$pod" >/dev/null 2>&1 || true
    } &
  done
  wait
}
# Another network takes the place of $1, whose pods end before it: without their plugin they could not.
leave_network() {
  trap 'systemctl start kubelet || true' EXIT
  systemctl stop kubelet
  stop_pods
  remove_network "$1"
}
`;

/**
 * Puts a network on a node: first off with another network that is there (its pods end, their objects stay), then what the
 * network needs of the node. Run again it changes nothing. Prints one JSON line: the pods' MTU and the link
 * that the network uses.
 */
export function nodeScript(plan: NetworkPlan, input: NodeInput): string {
  const install: Readonly<Record<NetworkKind, () => string>> = {
    bridge: () => installBridge(input),
    flannel: () => installFlannel(plan, input),
    "kube-router": installKubeRouter,
    cilium: installCilium,
  };
  return `${assignments({
    network: plan.id,
    ip: input.internalIp,
    pod_cidr: input.podCidr,
    node_pod_cidr: input.nodePodCidr,
    declared: input.mtu === undefined ? "" : String(input.mtu),
    overhead: String(plan.overhead),
    generation: input.generation ?? "",
  })}
${SET_PATH}
${LEAVE}
dev=$(ip -o -4 address show to "$ip/32" | awk '{ print $2; exit }')
[ -n "$dev" ] || { echo "no link of $(hostname) has the internal IP $ip; correct the node's internalIp" >&2; exit 1; }
link_mtu=$(($(cat "/sys/class/net/$dev/mtu") - overhead))
mtu=\${declared:-$link_mtu}
if [ "$mtu" -gt "$link_mtu" ]; then
  echo "mtu $mtu is more than the $link_mtu of link $dev on $(hostname): packets between nodes would be lost; declare at most $link_mtu" >&2
  exit 1
fi
before=$(cat ${MARKER} 2>/dev/null || true)
if [ -z "$before" ] && [ -e ${CONFLIST_PATH} ]; then before=bridge; fi
if [ -n "$before" ] && [ "$before" != "$network" ]; then
  echo "taking the network $before off $(hostname)" >&2
  leave_network "$before"
fi
mkdir -p ${STATE_DIR}
printf '%s\\n' "$network" >${MARKER}
${plan.replacesKubeProxy ? KUBE_PROXY_RULES : ""}${install[plan.kind]()}
printf '{"mtu":%s,"link":"%s"}\\n' "$mtu" "$dev"
`;
}

/** Takes a network off a node, unless another one has taken its place there. */
export function removeNetworkScript(
  plan: NetworkPlan,
  { nodeName, podCidr }: { readonly nodeName: string; readonly podCidr: string },
): string {
  return `${assignments({ network: plan.id, node: nodeName, pod_cidr: podCidr })}
${SET_PATH}
${LEAVE}
# Pods that are on their way out need their plugin until they are gone.
for _ in $(seq 120); do
  leaving=$(timeout 10 kubectl --kubeconfig /etc/kubernetes/kubelet.conf get pods --all-namespaces --field-selector "spec.nodeName=$node" -o 'go-template={{range .items}}{{if and .metadata.deletionTimestamp (not .spec.hostNetwork)}}{{.metadata.name}} {{end}}{{end}}' 2>/dev/null || true)
  [ -n "$leaving" ] || break
  sleep 0.5
done
# Agents whose objects were just deleted may still be at work.
for _ in $(seq 60); do
  [ -n "$(crictl ps -q --name '^(kube-flannel|kube-router|cilium-agent|cilium-operator)$' 2>/dev/null)" ] || break
  sleep 0.5
done
before=$(cat ${MARKER} 2>/dev/null || true)
if [ -z "$before" ] || [ "$before" = "$network" ]; then remove_network "$network"; fi
`;
}

const printed = z.strictObject({ mtu: z.number(), link: z.string() });

/** What {@link nodeScript} printed: the MTU of the pods' links in bytes, and the node's link to its peers. */
export function parseNode(stdout: string): { readonly mtu: number; readonly link: string } {
  return printed.parse(JSON.parse(stdout));
}
