# Follows packets through this node while they are sent: counts them at each point of the kernel's way, and tells which rule dropped
# or translated them and how the node looks along the way. Answers one JSON object a line. A flow is `ID SOURCE TARGET`, both
# directions; an end is `ID PROBE OWN OTHER`, the probe of this node that has one of its addresses. Its table counts, decides
# nothing, and is removed at the end; one that a killed run left is removed by the next.
# shellcheck shell=bash
use lib/drops
use lib/links

only_reads
lasts 40

declare_way() {
    takes seconds
    takes_list flow end pid cluster-ip service-endpoint
}

# The rules that count a flow's packets in one direction at one point. Where they enter, some of them are traced: each is traced
# through every rule of the node.
counting() {
    local id=$1 direction=$2 point=$3 from=$4 to=$5
    case $point in in | from) echo "ip saddr $from ip daddr $to limit rate 5/second meta nftrace set 1" ;; esac
    echo "ip saddr $from ip daddr $to counter comment \"$id $direction $point\""
}

# Each flow's rules at one point, both ways.
at_point() {
    local point=$1 id from to
    while read -r id from to; do
        [ -n "$id" ] || continue
        counting "$id" there "$point" "$from" "$to"
        counting "$id" back "$point" "$to" "$from"
    done <<<"$(each flow)"
}

# What left with another source address than it came with.
translations() {
    local id from to
    while read -r id from to; do
        [ -n "$id" ] || continue
        echo "ct direction original ct original ip saddr $from ct original ip daddr $to ip saddr != $from counter comment \"$id there translated\""
        echo "ct direction original ct original ip saddr $to ct original ip daddr $from ip saddr != $to counter comment \"$id back translated\""
    done <<<"$(each flow)"
}

chain() { printf 'chain %s {\ntype filter hook %s priority %s; policy accept;\n%s\n}\n' "$1" "$2" "$3" "$4"; }

# The points stand before and behind all that others may hook in: conntrack's priority is -200, its defragmentation's -400.
table_text() {
    echo "table inet $1 {"
    chain in prerouting -450 "$(at_point in)"
    chain from output -450 "$(at_point from)"
    chain forward forward -500 "$(at_point forward)"
    chain passed forward 500 "$(at_point passed)"
    chain to input 500 "$(at_point to)"
    chain out postrouting 500 "$(at_point out)"$'\n'"$(translations)"
    echo '}'
}

grown_json() {
    local what=$1 n text
    while read -r n text; do
        [ -z "$n" ] || answer "{\"at\":\"$what\",\"packets\":$n,\"text\":$(json_string "$text")}"
    done <<<"$(grown "$2" "$3")"
}

# Links that lost their carrier meanwhile, and how often.
carriers_json() {
    local times link
    while read -r times link; do
        [ -z "$times" ] || answer "{\"at\":\"carrier\",\"link\":$(json_string "$link"),\"times\":$times}"
    done <<<"$(grown carriers-before carriers-after)"
}

# The packets at each point, out of the table's own list.
counts_json() {
    local n id direction point
    while read -r n id direction point; do
        [ -z "$n" ] || answer "{\"at\":\"count\",\"flow\":\"$id\",\"direction\":\"$direction\",\"point\":\"$point\",\"packets\":$n}"
    done <<<"$(nft list table inet "$1" | sed -n 's/.*counter packets \([0-9]*\) .*comment "\([^"]*\)".*/\1 \2/p')"
}

# Rules of nftables that dropped or translated what was followed, out of the kernel's trace.
traced_json() {
    local text what
    while IFS= read -r text; do
        case $text in
            *' drop'* | *' reject'*) what=drop ;;
            *) what=translation ;;
        esac
        [ -z "$text" ] || answer "{\"at\":\"rule\",\"what\":\"$what\",\"text\":$(json_string "$text")}"
    done <<<"$(sed -nE \
        -e "/ inet $WAY_TABLE/d" \
        -e 's/^trace id [0-9a-f]+ ([a-z0-9]+ [^ ]+ [^ ]+) rule (.*(drop|reject|masquerade|snat|dnat).*) \(verdict .*\)$/\1: \2/p' \
        -e 's/^trace id [0-9a-f]+ ([a-z0-9]+ [^ ]+ [^ ]+) policy drop.*$/\1: its policy, drop/p' <"$1" | sed -E 's/ counter packets [0-9]+ bytes [0-9]+//' | awk '!seen[$0]++')"
}

# What `ip` printed, on one line without what it ends lines with.
tidy() { tr -d '\134' | tr -s ' \n' ' ' | sed 's/ $//'; }

# The way that the node's routes send a packet, and what it knows of the next hop there.
route_json() {
    local id=$1 direction=$2 from=$3 to=$4 dev='' text next
    # A node that has the sender's address itself sends by its own choice; else the packet comes in by the sender's link.
    dev=$(ip -4 -o route get "$from" 2>/dev/null | awk '$1 != "local" { for (i = 1; i < NF; i++) if ($i == "dev") print $(i + 1) }' || true)
    text=$(ip -4 -o route get "$to" from "$from" ${dev:+iif "$dev"} 2>&1 | tidy || true)
    answer "{\"at\":\"route\",\"flow\":\"$id\",\"direction\":\"$direction\",\"text\":$(json_string "$text")}"
    read -r next dev <<<"$(awk -v via="$to" '{ for (i = 1; i < NF; i++) { if ($i == "via") via = $(i + 1); if ($i == "dev" && dev == "") dev = $(i + 1) } } END { if (dev != "") print via, dev }' <<<"$text")"
    [ -n "$dev" ] || return 0
    text=$(ip -4 neigh show "$next" dev "$dev" 2>/dev/null || true)
    [ -z "$text" ] ||
        answer "{\"at\":\"neighbour\",\"flow\":\"$id\",\"direction\":\"$direction\",\"address\":\"$next\",\"state\":\"$(neighbour_state "$text")\",\"lladdr\":\"$(word_behind lladdr "$text")\"}"
}

# The state in which `ip neigh` shows a neighbour, its last word.
neighbour_state() { awk '{ print $NF }' <<<"$1"; }

# How a probe's own interface looks from inside, with what its kernel knows of its gateway, and the other end of it on the node.
inside_json() {
    local id=$1 probe=$2 own=$3 other=$4 pid link route gateway address index port name
    pid=$(each pid | awk -v probe="$probe" '$1 == probe { print $2; exit }')
    [ -n "$pid" ] || return 0
    link=$(nsenter -t "$pid" -n ip -o link show dev eth0 2>/dev/null || true)
    address=$(nsenter -t "$pid" -n ip -4 -o address show dev eth0 2>/dev/null | awk 'NR == 1 { print $4 }' || true)
    route=$(nsenter -t "$pid" -n ip -4 -o route get "$other" from "$own" 2>&1 | tidy || true)
    gateway=$(word_behind via "$route")
    answer "{\"at\":\"inside\",\"flow\":\"$id\",\"up\":$(is_up "$link"),\"mtu\":$(mtu_in "$link"),\"address\":\"$address\",\"route\":$(json_string "$route"),\"gateway\":\"${gateway:-$other}\",\"neighbour\":\"$(neighbour_state "$(nsenter -t "$pid" -n ip -4 neigh show "${gateway:-$other}" dev eth0 2>/dev/null || true)")\"}"
    index=$(sed -n 's/^[0-9]*: eth0@if\([0-9]*\):.*/\1/p' <<<"$link")
    port=$(ip -o link show 2>/dev/null | awk -F'[ :@]+' -v index_of="${index:-none}" '$1 == index_of' || true)
    [ -n "$port" ] || return 0
    name=$(link_name "$port")
    answer "{\"at\":\"port\",\"flow\":\"$id\",\"name\":$(json_string "$name"),\"up\":$(is_up "$port"),\"bridge\":$(json_string "$(word_behind master "$port")"),\"isolated\":$(port_is "$name" isolated),\"hairpin\":$(port_is "$name" hairpin)}"
}

# The node's links but for those of single pods: by these packets leave it.
way_links_json() {
    local name line
    while IFS= read -r line; do
        name=$(link_name "$line")
        case $name in '' | lo | veth* | lxc*) continue ;; esac
        answer "{\"at\":\"link\",\"name\":$(json_string "$name"),\"up\":$(is_up "$line"),\"mtu\":$(mtu_in "$line"),\"lladdr\":\"$(word_behind link/ether "$line")\",\"addresses\":$(ip -4 -o address show dev "$name" 2>/dev/null | awk '{ print $4 }' | json_list)}"
    done <<<"$(ip -o link show 2>/dev/null)"
}

# What the end of the program takes away, however it comes.
way_folder='' way_tracer=''
way_ends() {
    nft delete table inet "$WAY_TABLE-$BASHPID" 2>/dev/null || true
    [ -z "$way_tracer" ] || kill "$way_tracer" 2>/dev/null || true
    rm -rf "$way_folder"
}

# Whether any rule of the node names a ClusterIP, and whether one sends anything to an endpoint.
services_json() {
    local address rules
    rules=$({ nft list ruleset; iptables-legacy-save; } 2>/dev/null || true)
    for address in $(each cluster-ip); do
        answer "{\"at\":\"service\",\"address\":\"$address\",\"served\":$(grep -qwF -- "$address" <<<"$rules" && echo true || echo false)}"
    done
    rules=$(grep -iw dnat <<<"$rules" || true)
    for address in $(each service-endpoint); do
        answer "{\"at\":\"endpoint\",\"address\":\"$address\",\"served\":$(grep -qwF -- "$address" <<<"$rules" && echo true || echo false)}"
    done
}

do_way() {
    local table=$WAY_TABLE-$BASHPID id probe from to
    command -v nft >/dev/null || fail "nft is not on this node, without which no packet can be followed; on Debian and Ubuntu: apt-get install nftables"
    way_folder=$(mktemp -d)
    trap way_ends EXIT
    cd "$way_folder" || exit
    remove_stale_tables
    timeout -k 1 $(($(value seconds) + 15)) nft monitor trace >traced 2>/dev/null 3>&- &
    way_tracer=$!
    table_text "$table" | nft -f -
    snapshot before
    sleep "$(value seconds)"
    snapshot after
    counts_json "$table"
    kill "$way_tracer" 2>/dev/null || true
    wait "$way_tracer" 2>/dev/null || true
    way_tracer=''
    traced_json traced
    grown_json rules rules-before rules-after
    grown_json queue queues-before queues-after
    grown_json kernel kernel-before kernel-after
    carriers_json
    answer "{\"at\":\"conntrack\",\"count\":$(cat /proc/sys/net/netfilter/nf_conntrack_count 2>/dev/null || echo 0),\"max\":$(cat /proc/sys/net/netfilter/nf_conntrack_max 2>/dev/null || echo 0)}"
    way_links_json
    [ -z "$(each cluster-ip)" ] || services_json
    while read -r id from to; do
        [ -n "$id" ] || continue
        route_json "$id" there "$from" "$to"
        route_json "$id" back "$to" "$from"
    done <<<"$(each flow)"
    while read -r id probe from to; do
        [ -z "$id" ] || inside_json "$id" "$probe" "$from" "$to"
    done <<<"$(each end)"
}
