import { z } from "zod";
import { SET_PATH, STATE_DIR } from "../node/files";
import { assignments } from "../node/quote";
import { CILIUM_USER_OBJECTS, REMOVE_CILIUM_OBJECTS } from "./cilium/cilium";
import { AGENT_LABEL, NETWORK_LABEL, type NetworkPlan } from "./definition";

/** Pods that a change of network makes anew, on the control plane: namespace, name and the containers they had. */
const RECORD = `${STATE_DIR}/switched-pods`;
/** Annotation of the nodes that podnet cordoned. */
const CORDONED = "podnet.dev/cordoned";

const LABEL_PATH = NETWORK_LABEL.replaceAll(".", "\\.");

/** Lists pods as `namespace name node hostNetwork phase restartPolicy owner ready containers`, one a line. */
const LIST_PODS = `
list_pods() {
  kubectl get pods --all-namespaces -o 'go-template={{range .items}}{{.metadata.namespace}} {{.metadata.name}} {{if .spec.nodeName}}{{.spec.nodeName}}{{else}}-{{end}} {{if .spec.hostNetwork}}host{{else}}pod{{end}} {{.status.phase}} {{.spec.restartPolicy}} {{if .metadata.ownerReferences}}owned{{else}}bare{{end}} {{$ready := "no"}}{{range .status.conditions}}{{if and (eq .type "Ready") (eq .status "True")}}{{$ready = "yes"}}{{end}}{{end}}{{$ready}} {{range .status.containerStatuses}}{{.containerID}},{{end}}{{"\\n"}}{{end}}'
}
`;

/** Takes off the nodes' objects what agents said there, which is no longer so. */
const FORGET_AGENTS = `for node in $(kubectl get nodes -o 'jsonpath={.items[*].metadata.name}'); do
  kubectl annotate node "$node" flannel.alpha.coreos.com/{backend-data,backend-v6-data,backend-type,public-ip,public-ipv6,kube-subnet-manager,node-public-ip}- >/dev/null 2>&1 || true
  kubectl patch node "$node" --subresource=status --type=strategic -p '{"status":{"conditions":[{"type":"NetworkUnavailable","$patch":"delete"}]}}' >/dev/null
done
`;

function indent(script: string, by: number): string {
  return script.replaceAll(/^(?=.)/gm, " ".repeat(by));
}

/**
 * Prepares a cluster for a network; runs on the control plane, before any node changes. Where another network is on the
 * nodes: refuses when something that a user deployed would be lost, cordons the nodes, notes their pods, and ends the old
 * network's agents. Prints one JSON line with a generation, new whenever it ran.
 */
export function switchScript(plan: NetworkPlan): string {
  return `${assignments({ network: plan.id, replaces_kube_proxy: plan.replacesKubeProxy ? "yes" : "" })}
${SET_PATH}
export KUBECONFIG=/etc/kubernetes/admin.conf
${LIST_PODS}
others=$(kubectl get nodes -o 'jsonpath={range .items[*]}{.metadata.labels.${LABEL_PATH}}{"\\n"}{end}' | sort -u | grep -vxF "$network" | grep . || true)
left=$(cat ${STATE_DIR}/leaving 2>/dev/null || true)
others=$(printf '%s\\n%s\\n' "$others" "$left" | grep . | grep -vxF "$network" | sort -u || true)
if [ -n "$others" ]; then
  problems=
  lost=$(list_pods | awk '$4 == "pod" && $5 == "Running" && $6 == "Never" && $7 == "bare" { print "  " $1 "/" $2 }')
  [ -z "$lost" ] || problems="these pods run once and belong to no controller, so nothing would start them again; let them end or delete them:
$lost"
  case $others in *cilium*)
    case $network in cilium*) ;; *)
      lost=$(${CILIUM_USER_OBJECTS.trim().replaceAll("\n", "\n      ")})
      [ -z "$lost" ] || problems="$problems\${problems:+
}these objects mean something to Cilium only and would go with it; write them anew for $network, or delete them:
$(sed 's/^/  /' <<<"$lost")" ;;
    esac ;;
  esac
  if [ -n "$problems" ]; then
    echo "the network stays" $others "since a change to $network would lose something; no node was touched: $problems" >&2
    exit 1
  fi
  printf '%s\\n' $others >${STATE_DIR}/leaving
  if [ ! -e ${RECORD} ]; then
    list_pods | awk '$4 == "pod" && $5 == "Running" && $8 == "yes" { print $1, $2, $9 }' >${RECORD}.new
    mv ${RECORD}.new ${RECORD}
  fi
  for node in $(kubectl get nodes -o 'go-template={{range .items}}{{if not .spec.unschedulable}}{{.metadata.name}}{{"\\n"}}{{end}}{{end}}'); do
    kubectl annotate node "$node" --overwrite ${CORDONED}=yes >/dev/null
    kubectl cordon "$node" >/dev/null
  done
  # The agents' DaemonSets choose nodes by this label, so they end without their objects being touched.
  kubectl label nodes --all ${NETWORK_LABEL}- >/dev/null
  kubectl delete pods --all-namespaces -l ${AGENT_LABEL} --field-selector status.phase!=Pending --wait=false >/dev/null 2>&1 || true
  for _ in $(seq 120); do
    [ -n "$(kubectl get pods --all-namespaces -l ${AGENT_LABEL} -o 'go-template={{range .items}}{{if .spec.nodeName}}{{.metadata.name}} {{end}}{{end}}')" ] || break
    sleep 0.5
  done
  gone=$(kubectl get pods --all-namespaces -l ${AGENT_LABEL} -o 'go-template={{range .items}}{{if .spec.nodeName}}{{.metadata.namespace}}/{{.metadata.name}} {{end}}{{end}}')
  [ -z "$gone" ] || { echo "agents of the old network do not end: $gone" >&2; exit 1; }
  case $others in *cilium*)
    # From one variant of Cilium to another its definitions stay, and what users made of them.
    case $network in cilium*) ;; *)
${indent(REMOVE_CILIUM_OBJECTS, 6)}    ;;
    esac ;;
  esac
${indent(FORGET_AGENTS, 2)}fi
proxied=$(kubectl -n kube-system get daemonset kube-proxy -o 'jsonpath={.spec.template.spec.nodeSelector.podnet\\.dev/kube-proxy}')
if [ -n "$replaces_kube_proxy" ] && [ -z "$proxied" ]; then
  kubectl -n kube-system patch daemonset kube-proxy -p '{"spec":{"template":{"spec":{"nodeSelector":{"podnet.dev/kube-proxy":"replaced"}}}}}' >/dev/null
  for _ in $(seq 120); do
    [ -n "$(kubectl -n kube-system get pods -l k8s-app=kube-proxy -o name)" ] || break
    sleep 0.5
  done
elif [ -z "$replaces_kube_proxy" ] && [ -n "$proxied" ]; then
  kubectl -n kube-system patch daemonset kube-proxy -p '{"spec":{"template":{"spec":{"nodeSelector":{"podnet.dev/kube-proxy":null}}}}}' >/dev/null
fi
printf '{"network":"%s","generation":"%s"}\\n' "$network" "$(date +%s%N)"
`;
}

/** Takes a network's traces out of the API server, its objects and agents gone; runs on the control plane, if it is there. */
export function forgetScript(plan: NetworkPlan): string {
  return `${SET_PATH}
export KUBECONFIG=/etc/kubernetes/admin.conf
[ -e "$KUBECONFIG" ] || exit 0
kubectl --request-timeout 20s get --raw /readyz >/dev/null 2>&1 || exit 0
kubectl label nodes --all ${NETWORK_LABEL}- >/dev/null
${plan.kind === "cilium" ? REMOVE_CILIUM_OBJECTS : ""}${FORGET_AGENTS}`;
}

/**
 * Ends the installation of a network; runs on the control plane, after every node is prepared: lets its agents run, waits
 * for them and for Ready nodes, and after a change of network for the pods that were noted before it.
 */
export function enableScript(plan: NetworkPlan, nodes: readonly string[]): string {
  const rollouts = plan.rollouts.map(({ kind, namespace, name }) => `await_rollout ${namespace} ${kind}/${name}\n`);
  return `${assignments({ network: plan.id, nodes: nodes.map((node) => `node/${node}`).join(" "), names: nodes.join(" ") })}
${SET_PATH}
export KUBECONFIG=/etc/kubernetes/admin.conf
${LIST_PODS}
kubectl label --overwrite $nodes "${NETWORK_LABEL}=$network" >/dev/null
await_rollout() {
  kubectl -n "$1" rollout status "$2" --timeout 180s >/dev/null 2>&1 && return
  echo "$2 of $network is not ready after 180 s:" >&2
  kubectl -n "$1" get pods -l ${AGENT_LABEL} -o wide >&2 || true
  kubectl -n "$1" get events --field-selector type=Warning --sort-by .lastTimestamp 2>/dev/null | tail -n 5 >&2
  kubectl -n "$1" logs "$2" --tail 5 2>&1 | cut -c 1-500 >&2
  return 1
}
${rollouts.join("")}kubectl wait --for condition=Ready --timeout 120s $nodes >/dev/null
if [ -e ${RECORD} ]; then
  waiting=
  for _ in $(seq 360); do
    waiting=$(list_pods | awk 'NR == FNR { before[$1 "/" $2] = $3; next } ($1 "/" $2) in before && ($8 != "yes" || $9 == before[$1 "/" $2]) { print $1 "/" $2 }' ${RECORD} -)
    [ -n "$waiting" ] || break
    sleep 0.5
  done
  [ -z "$waiting" ] || { echo "pods that ran before the change of network are not ready after 180 s:" $waiting >&2; exit 1; }
fi
for node in $(kubectl get nodes -o 'go-template={{range .items}}{{if index .metadata.annotations "${CORDONED}"}}{{.metadata.name}}{{"\\n"}}{{end}}{{end}}'); do
  kubectl uncordon "$node" >/dev/null
  kubectl annotate node "$node" ${CORDONED}- >/dev/null
done
rm -f ${RECORD} ${STATE_DIR}/leaving
`;
}

const printed = z.strictObject({ network: z.string(), generation: z.string() });

/** The generation that {@link switchScript} printed. */
export function parseSwitch(stdout: string): string {
  return printed.parse(JSON.parse(stdout)).generation;
}
