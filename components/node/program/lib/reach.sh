# Whether a machine reaches the other nodes as it will have to. It stands alone with obstacles.sh. A finding a line; nothing is
# changed.
# shellcheck shell=bash

# Seconds in which another machine has to answer: more than the kernel's own search for its link address takes.
PEER_SECONDS=5

# Whether the machine reaches those that it will talk to. Nothing need listen there yet: a refusal is an answer of that machine.
look_at_peers() {
    local name ip port
    while read -r name ip port; do
        [ -z "$port" ] || look_at_peer "$name" "$ip" "$port" &
    done <<<"${asked[peer]-}"
    wait
}

look_at_peer() {
    local name=$1 ip=$2 port=$3 code=0 error
    # shellcheck disable=SC2016
    error=$(timeout "$PEER_SECONDS" bash --norc -c 'exec 3<>"/dev/tcp/$0/$1"' "$ip" "$port" 2>&1) || code=$?
    case $code/$error in
        0/* | *'Connection refused'*) return 0 ;;
        124/*) error="no answer within $PEER_SECONDS s" ;;
        *) error=$(sed -n '1s/.*: //p' <<<"$error") ;;
    esac
    echo "it does not reach node $name at $ip port $port ($error), and the cluster needs that; let TCP to that port pass in the firewalls of both machines and between them, and see that $ip is where node $name answers the others"
}

# Next hops that are named; of the others only their number.
NAMED_HOPS=3

# named_hops COUNT NAMES: `w1 (192.0.2.1), w2 (192.0.2.2) and 5 more`.
named_hops() {
    local more=$(($1 - NAMED_HOPS)) names
    names=$(head -n "$NAMED_HOPS" <<<"$2" | paste -sd, | sed 's/,/, /g')
    if [ "$more" -gt 0 ]; then echo "$names and $more more"; else echo "$names"; fi
}

# Whether the nodes that this one is to route to by themselves are on its links. The kernel refuses another next hop, but only when
# the route is made, which is after the cluster.
look_at_next_hops() {
    local name ip route gateway
    local -A hops=() count=()
    while read -r name ip; do
        [ -n "$ip" ] || continue
        route=$(ip -o -4 route get "$ip" 2>/dev/null || true)
        case $route in
            '') gateway=none ;;
            *' via '*) gateway=${route#* via } gateway=${gateway%% *} ;;
            *) continue ;;
        esac
        hops["$gateway"]+="${hops["$gateway"]+$'\n'}$name ($ip)"
        count["$gateway"]=$((${count["$gateway"]-0} + 1))
    done <<<"${asked[next-hop]-}"
    for gateway in "${!hops[@]}"; do
        name=$(named_hops "${count["$gateway"]}" "${hops["$gateway"]}")
        if [ "$gateway" = none ]; then
            echo "it has no route to $name, and the nodes have to reach each other; give it one, or correct the internalIps"
        else
            echo "it reaches $name by the gateway $gateway alone, and this network needs all nodes on one link-layer segment (a next hop must be on-link). Correct the internalIps, or choose a network that crosses gateways: flannel with the backend vxlan, or cilium with the routing mode tunnel"
        fi
    done | sort
}
