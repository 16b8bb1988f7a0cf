# Puts a network on the node: first off with another one that is there (its pods end, their objects stay), then what the network
# needs of the node. Answers with the MTU of the pods' links and the link to the peers.
# shellcheck shell=bash
use lib/node
use lib/cni
use lib/routing

lasts 900

declare_network() {
    takes owner node files network kind internal-ip pod-cidr node-pod-cidr overhead egress replaces-kube-proxy
    may_take mtu
    takes_list route
}

# Loads what this kind of network does on a node: install_KIND and remove_KIND.
load_network() {
    [ -f "$ROOT/networks/$1/node.sh" ] || fail "this version of podnet knows no network $1"
    use "networks/$1/node"
}

remove_network() {
    local id kind
    [ -e "$NETWORK_FILE" ] || return 0
    read -r id kind _ <"$NETWORK_FILE"
    load_network "$kind"
    say "taking the network $id off $(hostname)"
    pods_of_network | put_file "$PODS_LEFT"
    # By its links a pod's namespace is told from another program's.
    own_namespaces | put_file "$NAMESPACES_LEFT"
    "remove_${kind//-/_}"
    rm -rf "$RUN/ipam"
    undo_record network
    rm -f "$NETWORK_FILE" "$NETWORK_PARAMETERS"
}

# MTU of the pods' links: as declared, or that of the node's link less what the network adds to each packet.
pod_mtu() {
    local link=$1 most declared
    most=$(($(cat "/sys/class/net/$link/mtu") - $(value overhead)))
    declared=$(value mtu)
    [ "${declared:-$most}" -le "$most" ] ||
        fail "mtu $declared is more than the $most of link $link: packets between nodes would be lost; declare at most $most"
    echo "${declared:-$most}"
}

# What describes the network, without whose work it is.
parameters_of_network() {
    local name
    for name in $(names_given); do
        case $name in nonce | files | owner | node) ;; *) each "$name" | sed "s/^/$name: /" ;; esac
    done
}

# Says that the kubelet was stopped and has to run again, whatever becomes of this run.
KUBELET_STOPPED=$STATE/kubelet-stopped

stop_kubelet() {
    put_file "$KUBELET_STOPPED" <<<yes
    trap start_kubelet EXIT
    systemctl stop kubelet
}

start_kubelet() { if systemctl start kubelet; then rm -f "$KUBELET_STOPPED"; fi; }

do_network() {
    local link before kind
    # A run that was killed may have left the kubelet stopped.
    [ ! -e "$KUBELET_STOPPED" ] || trap start_kubelet EXIT
    link=$(link_of "$(value internal-ip)")
    # The parts of the networks read it.
    MTU=$(pod_mtu "$link")
    export MTU
    kind=$(value kind)
    load_network "$kind"
    before=$(cut -d' ' -f1 "$NETWORK_FILE" 2>/dev/null || true)
    if [ -n "$before" ] && [ "$before" != "$(value network)" ]; then
        # Pods end before their network: without its plugin they could not.
        stop_kubelet
        stop_pods
        remove_network
    fi
    put_file "$NETWORK_FILE" <<<"$(value network) $kind $(value pod-cidr)"
    [ "$(value replaces-kube-proxy)" = no ] || remove_kube_proxy_rules
    "install_${kind//-/_}"
    set_pods_mtu "$MTU" "$(value overhead)"
    parameters_of_network | put_file "$NETWORK_PARAMETERS"
    answer "{\"mtu\":$MTU,\"link\":$(json_string "$link")}"
}

# Pods that are on their way out; they need their plugin until they are gone.
no_pod_leaves() {
    none "$(timeout 10 kubectl --kubeconfig "$KUBELET_CONF" get pods --all-namespaces --field-selector "spec.nodeName=$(value node)" \
        -o 'go-template={{range .items}}{{if and .metadata.deletionTimestamp (not .spec.hostNetwork)}}{{.metadata.name}} {{end}}{{end}}' 2>/dev/null || true)"
}

no_agent_runs() { none "$(cri ps -q --name '^(kube-flannel|kube-router|cilium-agent|cilium-operator)$' 2>/dev/null || true)"; }

undo_network() {
    if [ -z "${1-}" ]; then
        wait_until 60 "pods on their way out" no_pod_leaves || true
        # Agents whose objects were just deleted may still be at work.
        wait_until 30 "the network's agents to end" no_agent_runs || true
    fi
    remove_network
}
