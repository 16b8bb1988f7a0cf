# Prints as JSON what podnet has on this node, as it is now: owner, program, works, files, units, settings, routes, rules, links,
# network, and what it mended by itself. Changes nothing.
# shellcheck shell=bash
use lib/node
use lib/cni
use lib/routing
use lib/links
use lib/obstacles
use lib/overruled

only_reads
lasts 30

# Larger files are told of by their presence alone: a reader in a hurry leaves the binaries unread.
declare_status() { may_take read-up-to; }

# Lines of standard input, each already JSON, joined into a list.
join_json() { awk 'NF { printf "%s%s", sep, $0; sep = "," }'; }

owner_json() {
    local owner node cluster
    [ -e "$STATE/owner" ] || { printf null; return; }
    read -r owner node cluster <"$STATE/owner"
    printf '{"id":%s,"node":%s,"cluster":%s}' "$(json_string "$owner")" "$(json_string "$node")" "$(json_string "$cluster")"
}

works_json() {
    local file work count
    for file in "$STATE"/work/[a-z]*; do
        [ -e "$file" ] || continue
        read -r work count <"$file"
        printf '%s:{"work":%s,"applied":%s}\n' "$(json_string "${file##*/}")" "$(json_string "$work")" "$count"
    done | join_json
}

# Every file on record: `as-made`, `changed` since, `missing`, or `unread` where it is larger than was asked for.
files_json() {
    local what sum path now most
    most=$(value read-up-to)
    while IFS=$'\t' read -r what sum path; do
        [ "$what" = file ] || continue
        now=missing
        if [ -e "$path" ]; then
            now=changed
            if [ -n "$most" ] && [ "$(stat -L -c %s "$path")" -gt "$most" ]; then
                now=unread
            elif [ "$(sum_of "$path")" = "$sum" ]; then
                now=as-made
            fi
        fi
        printf '{"path":%s,"sha256":"%s","now":"%s"}\n' "$(json_string "$path")" "$sum" "$now"
    done <<<"$(record_lines)" | join_json
}

units_json() {
    local unit
    for unit in $(record_lines | awk -F'\t' '$1 == "unit" && !seen[$2]++ { print $2 }'); do
        printf '{"name":%s,"active":%s,"enabled":%s}\n' "$(json_string "$unit")" \
            "$(json_string "$(systemctl is-active "$unit" 2>/dev/null || true)")" \
            "$(json_string "$(systemctl is-enabled "$unit" 2>/dev/null || true)")"
    done | join_json
}

# Kernel settings that podnet needs: what it wants, what they were before, what they are.
sysctls_json() {
    local key wanted before
    while IFS=' =' read -r key wanted; do
        case $key in '' | '#'* | -*) continue ;; esac
        before=$(record_lines | awk -F'\t' -v key="$key" '$1 == "sysctl" && $2 == key && !seen++ { print $3 }')
        printf '{"key":%s,"wanted":%s,"now":%s,"before":%s}\n' "$(json_string "$key")" "$(json_string "$wanted")" \
            "$(json_string "$(sysctl -n "$key" 2>/dev/null || true)")" "$(if [ -n "$before" ]; then json_string "$before"; else printf null; fi)"
    done <"$ROOT/files/network-sysctl.conf" | join_json
}

# Settings of the machine's own that win over podnet's, now or at the next boot, each with its remedy.
overruled_json() {
    {
        overruled
        awk 'NR > 1 { print "swap is on at " $1 ", beside which the kubelet does not run; run systemctl restart kubelet, which turns it off" }' /proc/swaps 2>/dev/null || true
    } | json_list
}

# Routes to the peers: those wanted, and those that are there, each as `CIDR via NEXT-HOP`.
routes_json() {
    printf '{"wanted":%s,"now":%s,"taken":%s}' \
        "$(awk 'NF { print $1 " via " $2 }' "$NETWORK_FOLDER/routes" 2>/dev/null | json_list)" \
        "$(ip -4 route show proto "$ROUTE_PROTOCOL" type unicast 2>/dev/null | awk '{ for (i = 2; i < NF; i++) if ($i == "via") print $1 " via " $(i + 1) }' | json_list)" \
        "$(taken_ways | json_list)"
}

# The way that a packet takes to the first and to the last pod of each peer, `ADDRESS via NEXT-HOP`, or what the kernel says instead:
# another route that is more exact, or a rule that leads to another table, wins over podnet's.
taken_ways() {
    local address addresses
    addresses=$(awk 'NF { split($1, cidr, "/"); split(cidr[1], p, "."); n = ((p[1] * 256 + p[2]) * 256 + p[3]) * 256 + p[4]
        for (i = 0; i < 2; i++) { m = i ? n + 2 ^ (32 - cidr[2]) - 2 : n + 1; print int(m / 16777216) "." int(m / 65536) % 256 "." int(m / 256) % 256 "." m % 256 } }' \
        "$NETWORK_FOLDER/routes" 2>/dev/null || true)
    [ -n "$addresses" ] || return 0
    # One look for all: a node may have a thousand peers. Where the kernel has no way, a look of its own tells why.
    while read -r address; do
        if [[ $address == *' '* ]]; then echo "$address"; else way_taken "$address"; fi
    done < <(awk 'NR == FNR { told[$1] = $0; next } { print ($1 in told) ? told[$1] : $1 }' \
        <(awk '{ print "route get " $1 }' <<<"$addresses" | { ip -4 -o -force -batch - 2>/dev/null || true; } | awk "$way_in") <(echo "$addresses"))
}

# What `ip route get` says, as `ADDRESS via NEXT-HOP` or `ADDRESS by LINK`. The kind of a route that is no usual one stands before it.
# shellcheck disable=SC2016
way_in='{ to = $1 ~ /^[0-9]/ ? $1 : $2
    for (i = 2; i < NF; i++) if ($i == "via") { print to, "via", $(i + 1); next }
    for (i = 1; i < NF; i++) if ($i == "dev") { print to, "by", $(i + 1); next } }'

way_taken() {
    { ip -4 -o route get "$1" 2>&1 || true; } | awk -v address="$1" "NR == 1 && \$1 == \"RTNETLINK\" { sub(/.*answers: /, \"\"); print address, \$0; next } NR == 1 $way_in"
}

# The bridge of podnet's own network on this node, with its ports; null where it has none.
bridge_json() {
    local line='' kind=''
    if [ -e "$NETWORK_FILE" ]; then read -r _ kind _ <"$NETWORK_FILE"; fi
    [ "$kind" != bridge ] || line=$(ip -o link show dev "$BRIDGE" type bridge 2>/dev/null || true)
    [ -n "$line" ] || { printf null; return; }
    printf '{"name":"%s","up":%s,"addresses":%s,"ports":[%s]}' "$BRIDGE" "$(is_up "$line")" \
        "$(ip -4 -o address show dev "$BRIDGE" | awk '{ print $4 }' | json_list)" "$(ports_json)"
}

# Its ports. One look at all: a node has a hundred of them.
ports_json() {
    bridge -o -d link show 2>/dev/null | awk -v bridge="$BRIDGE" '
        function on(name) { return index($0, " " name " on ") ? "true" : "false" }
        index($0, " master " bridge " ") {
            name = $2; sub(/[@:].*/, "", name)
            printf "%s{\"name\":\"%s\",\"up\":%s,\"hairpin\":%s,\"isolated\":%s}", separator, name, $0 ~ /[<,]UP[,>]/ ? "true" : "false", on("hairpin"), on("isolated")
            separator = ","
        }' || true
}

# The egress rules: whether podnet has them here, and whether their table is as it was made.
egress_json() {
    local wanted=false now=missing
    [ ! -e "$NETWORK_FOLDER/egress.nft" ] || wanted=true
    if nft list table ip "$EGRESS_TABLE" >/dev/null 2>&1; then
        now=changed
        [ "$(/bin/bash --norc -p "$ROOT/routes" egress-sum)" != "$(cat "$NETWORK_FOLDER/egress.sum" 2>/dev/null)" ] || now=as-made
    fi
    printf '{"wanted":%s,"now":"%s"}' "$wanted" "$now"
}

# What the unit podnet-network mended, because somebody had taken it away or changed it, and how many seconds ago.
mended_json() {
    local at what now
    now=$(date +%s)
    while read -r at what; do
        [ -z "$at" ] || printf '{"secondsAgo":%s,"what":%s}\n' $((now > at ? now - at : 0)) "$(json_string "$what")"
    done <<<"$(cat "$NETWORK_FOLDER/mended" 2>/dev/null || true)" | join_json
}

# Whether the host drops what it forwards, and whether podnet's accepts for the pods stand in that chain, or the owner's.
forward_json() {
    local drops=false accepted=false pods=''
    if iptables_drops; then
        drops=true
        [ "$(iptables -S FORWARD | grep -c -- '--comment podnet -j ACCEPT')" -lt 2 ] || accepted=true
    elif grep -qx 'ip filter FORWARD' <<<"$(closed_chains)"; then
        drops=true
        if [ -e "$NETWORK_FILE" ]; then read -r _ _ pods <"$NETWORK_FILE"; fi
        if [ -n "$pods" ] && names_pods ip filter "$pods"; then accepted=true; fi
    fi
    printf '{"drops":%s,"accepted":%s}' "$drops" "$accepted"
}

network_json() {
    local id kind pods
    [ -e "$NETWORK_FILE" ] || { printf null; return; }
    read -r id kind pods <"$NETWORK_FILE"
    printf '{"id":%s,"kind":%s,"podCidr":%s,"parameters":%s}' "$(json_string "$id")" "$(json_string "$kind")" "$(json_string "$pods")" \
        "$(json_list < <(cat "$NETWORK_PARAMETERS" 2>/dev/null || true))"
}

# Conflists in the order in which the runtime reads them: the first one is the network that new pods get.
conflists_json() {
    local file
    for file in /etc/cni/net.d/*.conflist /etc/cni/net.d/*.conf /etc/cni/net.d/*.json; do
        [ ! -e "$file" ] || printf '%s\n' "${file##*/}"
    done | sort | json_list
}

links_json() {
    local name mtu
    while read -r name mtu; do
        [ -z "$name" ] || printf '{"name":%s,"mtu":%s}\n' "$(json_string "$name")" "$mtu"
    done <<<"$(ip -o link show 2>/dev/null | awk -F'[ :@]+' '{ for (i = 3; i < NF; i++) if ($i == "mtu" && $2 !~ /^(veth|lo$)/) print $2, $(i + 1) }')" | join_json
}

versions_json() {
    local mark
    for mark in "$STATE"/installed/[a-z]*; do
        [ -e "$mark" ] || continue
        printf '%s:%s\n' "$(json_string "${mark##*/}")" "$(json_string "$(cat "$mark")")"
    done | join_json
}

do_status() {
    answer "{\"owner\":$(owner_json),\"program\":$(json_string "${ROOT##*/}"),\"works\":{$(works_json)},\"installed\":{$(versions_json)},\"files\":[$(files_json)],\"units\":[$(units_json)],\"sysctls\":[$(sysctls_json)],\"overruled\":$(overruled_json),\"network\":$(network_json),\"conflists\":$(conflists_json),\"routes\":$(routes_json),\"bridge\":$(bridge_json),\"egress\":$(egress_json),\"forward\":$(forward_json),\"mended\":[$(mended_json)],\"links\":[$(links_json)]}"
}

undo_status() { :; }
