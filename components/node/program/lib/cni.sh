# What every network has to do with on a node: the pods' bridge, pods themselves, routes of agents.
# shellcheck shell=bash

# The Linux bridge that pods of one node meet on, where the network has one.
export BRIDGE=cni0

# Network on this node: its id, its kind, the pods' CIDR of the cluster.
export NETWORK_FILE=$STATE/network-on-node
# The parameters that it was applied with last, for a reader: `name: value` lines.
export NETWORK_PARAMETERS=$STATE/network-parameters

pods_of_network() { awk '{ print $3 }' "$NETWORK_FILE"; }

bridge_has_pods() { [ -n "$(ls "/sys/class/net/$BRIDGE/brif" 2>/dev/null)" ]; }

# Deletes the bridge if no pod is attached to it: deleting it under living pods would cut them off. One that has to stay is
# noted, and goes when the machine is given back and its pods are gone.
remove_empty_bridge() {
    [ -d "/sys/class/net/$BRIDGE" ] || return 0
    if bridge_has_pods; then
        put_file "$STATE/bridge-left" <<<yes
    else
        ip link delete "$BRIDGE"
        rm -f "$STATE/bridge-left"
    fi
}

no_pod_on_bridge() { none "$(ls "/sys/class/net/$BRIDGE/brif" 2>/dev/null)"; }

# Routes to other nodes' pods that somebody else than podnet made.
remove_pod_routes() {
    local cidr via
    while read -r cidr via; do
        [ -z "$cidr" ] || ip route delete "$cidr" via "$via" || true
    done <<<"$(ip -4 route show root "$(pods_of_network)" | awk '$2 == "via" { print $1, $3 }')"
}

# IP sets by a pattern: they go when no rule names them any more, and sets of sets before what they hold.
remove_sets() {
    local name _
    command -v ipset >/dev/null || return 0
    for _ in 1 2; do
        while read -r name; do
            [ -z "$name" ] || ipset destroy "$name" 2>/dev/null || true
        done <<<"$(ipset list -n 2>/dev/null | awk -v pattern="$1" '$0 ~ pattern')"
    done
}

# Index of the host's end of a pod's link, by the namespace's name.
peer_of() { ip -n "$1" -o link show dev eth0 2>/dev/null | sed -n 's/^[0-9]*: eth0@if\([0-9]*\):.*/\1/p'; }

# Whether a namespace `cni-...` is another program's, such as podman's: its link is on a bridge that no network of podnet's has.
foreign_namespace() {
    local peer master
    peer=$(peer_of "$1" || true)
    [ -n "$peer" ] || return 1
    master=$(ip -o link show | awk -F': ' -v index_="$peer" '$1 == index_' | sed -n 's/.* master \([^ ]*\).*/\1/p')
    case $master in '' | "$BRIDGE" | kube-bridge) return 1 ;; esac
}

# Gives the pods that run already links of $1 bytes: the runtime keeps their namespaces by name. Where a network gives the routes
# of its pods an MTU, that is theirs, and their links have $2 bytes more for what it adds.
set_pods_mtu() {
    local mtu=$1 name peer route link_mtu master
    for name in $(ip netns list 2>/dev/null | awk '$1 ~ /^cni-/ { print $1 }'); do
        ! foreign_namespace "$name" || continue
        peer=$(peer_of "$name")
        peer=$(ip -o link show | awk -F': ' -v index_="$peer" '$1 == index_ { sub(/@.*/, "", $2); print $2 }')
        [ -n "$peer" ] || continue
        route=$(ip -n "$name" -4 route show | grep ' mtu ' || true)
        link_mtu=$mtu
        [ -z "$route" ] || link_mtu=$((mtu + $2))
        ip link set dev "$peer" mtu "$link_mtu"
        ip -n "$name" link set dev eth0 mtu "$link_mtu"
        master=$(readlink "/sys/class/net/$peer/master" || true)
        [ -z "$master" ] || ip link set dev "${master##*/}" mtu "$mtu"
        while read -r route; do
            # shellcheck disable=SC2086
            [ -z "$route" ] || ip -n "$name" -4 route replace ${route/ mtu [0-9]*/} mtu "$mtu"
        done <<<"$route"
    done
}

# Ends the pods that are not on the node's own network, in good order, while their plugin can still take their links away.
# Their objects, volumes and names stay: the kubelet makes them anew once it runs again.
stop_pods() {
    local pod container pods=()
    for pod in $(cri pods -q --state ready 2>/dev/null); do
        [ "$(cri inspectp -o go-template --template '{{.status.linux.namespaces.options.network}}' "$pod" 2>/dev/null)" = NODE ] || pods+=("$pod")
    done
    for pod in "${pods[@]}"; do
        {
            for container in $(cri ps -q --pod "$pod" 2>/dev/null); do cri -t 30s stop -t 10 "$container" >/dev/null 2>&1 & done
            wait
            cri -t 30s stopp "$pod" >/dev/null 2>&1 || true
        } &
    done
    wait
}
