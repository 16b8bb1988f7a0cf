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

# The cluster's pods' CIDR, for what is left of pods when their network is off.
export PODS_LEFT=$STATE/pods-left

# Takes off the rules of pods' host ports whose pods ended without their plugin portmap, and its chains and tables where nobody
# else has rules there and they were not there before. A pod's rules bear its address.
remove_host_ports() {
    local save family chains pods chain handle
    pods=$(cat "$PODS_LEFT" 2>/dev/null || true)
    for family in ip ip6; do
        save=iptables-save
        [ "$family" = ip ] || save=ip6tables-save
        command -v "$save" >/dev/null || continue
        chains=$({ "$save" -t nat 2>/dev/null || true; } | chains_into "$pods" | paste -sd '|')
        [ -z "$chains" ] || remove_chains_of "$save" "($chains)$"
        grep -qsxF "chain $family nat CNI-HOSTPORT-DNAT" "$BEFORE" || grep -q '^-A CNI-HOSTPORT-DNAT ' <<<"$("$save" -t nat 2>/dev/null || true)" ||
            remove_chains_of "$save" 'CNI-HOSTPORT-'
    done
    [ -n "$pods" ] || return 0
    while read -r chain handle; do
        [ -z "$handle" ] || nft delete rule ip cni_hostport "$chain" handle "$handle"
    done <<<"$(nft -a list table ip cni_hostport 2>/dev/null | rules_into "$pods")"
    if ! grep -qsxF "table ip cni_hostport" "$BEFORE" && ! grep -qE ' (dnat to|masquerade)( |$)' <<<"$(nft list table ip cni_hostport 2>/dev/null || true)"; then
        nft delete table ip cni_hostport 2>/dev/null || true
    fi
}

# What an awk program needs to know of a CIDR in its variable `cidr`.
export IN_CIDR='
    function number(text,  p) { split(text, p, "."); return ((p[1] * 256 + p[2]) * 256 + p[3]) * 256 + p[4] }
    function block(text) { return int(number(text) / 2 ^ (32 - range[2])) }
    BEGIN { split(cidr, range, "/") }'

# Chains of host ports that lead to an address of the CIDR $1, if there is one, in a table that iptables saved.
chains_into() {
    awk -v cidr="${1:-255.255.255.255/32}" "$IN_CIDR"'
        /^-A CNI-DN-/ && match($0, /--to-destination [0-9.]+/) {
            if (block(substr($0, RSTART + 17, RLENGTH - 17)) == block(range[1]) && !seen[$2]++) print $2
        }'
}

# Rules that lead to an address of the CIDR $1, as `CHAIN HANDLE`, of a table that `nft -a` lists.
rules_into() {
    awk -v cidr="$1" "$IN_CIDR"'
        $1 == "chain" { chain = $2 }
        match($0, /(dnat to|ip daddr [0-9.]+ masquerade)/) {
            text = substr($0, RSTART)
            match(text, /[0-9]+(\.[0-9]+)+/)
            if (RSTART > 0 && block(substr(text, RSTART, RLENGTH)) == block(range[1])) print chain, $NF
        }'
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

# Index of the host's end of a pod's link, by the namespace's name; nothing where it has no such link.
peer_of() { { ip -n "$1" -o link show dev eth0 type veth 2>/dev/null || true; } | sed -n 's/^[0-9]*: eth0@if\([0-9]*\):.*/\1/p'; }

# Whether the container runtime has a pod in a namespace.
has_pod() { grep -qsF "/netns/$1\"" /run/containerd/io.containerd.runtime.v2.task/k8s.io/*/config.json; }

# Whether a namespace `cni-...` is another program's, such as podman's: the runtime has no pod there, and it has no link that a
# network of podnet's gives, on a bridge of its own or as Cilium names them.
foreign_namespace() {
    local peer link
    ! has_pod "$1" || return 1
    peer=$(peer_of "$1")
    [ -n "$peer" ] || return 0
    link=$(ip -o link show | awk -F': ' -v index_="$peer" '$1 == index_')
    case $(sed -n 's/.* master \([^ ]*\).*/\1/p' <<<"$link") in
        "$BRIDGE" | kube-bridge) return 1 ;;
        '') [[ $link != *": lxc"* ]] ;;
    esac
}

# Pods' namespaces that were noted before the network took their links away, one a line.
export NAMESPACES_LEFT=$STATE/namespaces-left

# Pods' namespaces: those that were there before, and those of other programs, are left.
own_namespaces() {
    local path
    for path in /run/netns/cni-*; do
        [ -e "$path" ] || continue
        if was_there "$path"; then continue; fi
        if grep -qsxF "$path" "$NAMESPACES_LEFT" || ! foreign_namespace "${path##*/}"; then printf '%s\n' "$path"; fi
    done
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
