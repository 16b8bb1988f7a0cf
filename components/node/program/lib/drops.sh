# What drops packets on this node, by counters that grow: rules, queues, links that lose their carrier, the kernel itself.
# shellcheck shell=bash

# Prefix of the name of the table that counts packets; the rest is the process that will remove it.
export WAY_TABLE=podnet-way

# Removes the tables of processes that are no more: of a run that was killed.
remove_stale_tables() {
    local name
    for name in $(nft list tables inet 2>/dev/null | awk -v prefix="$WAY_TABLE-" 'index($3, prefix) == 1 { print $3 }'); do
        [ -d "/proc/${name#"$WAY_TABLE-"}" ] || nft delete table inet "$name" 2>/dev/null || true
    done
}

# Rules of iptables' older kind that drop, and policies that do, each with its packets: `PACKETS RULE`. They show in no trace.
legacy_drops() {
    command -v iptables-legacy-save >/dev/null || return 0
    iptables-legacy-save -c 2>/dev/null | awk '
        /^\*/ { table = substr($0, 2) }
        /^:/ && $2 == "DROP" { split(substr($3, 2), n, ":"); print n[1], "the policy DROP of the chain " substr($1, 2) " in the table " table " of iptables-legacy" }
        /^\[/ && / -j (DROP|REJECT)/ { split(substr($1, 2), n, ":"); sub(/^[^ ]* /, ""); print n[1], "the rule `" $0 "` in the table " table " of iptables-legacy" }' || true
}

# Packets that queues of links dropped, each as `PACKETS DEV KIND TEXT`.
queue_drops() {
    tc -s qdisc show 2>/dev/null | awk '
        /^qdisc/ { for (i = 3; i <= NF; i++) { if ($i == "dev") dev = $(i + 1); } kind = $2; rest = $0; sub(/.* (root|parent [^ ]*) /, "", rest); sub(/^refcnt [0-9]* /, "", rest) }
        /dropped/ { n = $0; sub(/.*dropped /, "", n); sub(/,.*/, "", n); print n, dev, kind, rest }' || true
}

# Times that links lost their carrier, each as `TIMES DEV`.
carrier_losses() {
    local count
    for count in /sys/class/net/*/carrier_down_count; do
        [ ! -r "$count" ] || echo "$(cat "$count") $(basename "${count%/*}")"
    done
}

# Counters of the kernel that tell why it dropped a packet, each as `PACKETS NAME`.
kernel_drops() {
    cat /proc/net/snmp /proc/net/netstat 2>/dev/null | awk '
        $1 == kind { for (i = 2; i <= NF; i++) print $i, substr($1, 1, length($1) - 1) name[i]; kind = ""; next }
        { kind = $1; for (i = 2; i <= NF; i++) name[i] = $i }' |
        grep -E ' (IpInAddrErrors|IpInDiscards|IpOutDiscards|IpOutNoRoutes|IpReasmFails|IpFragFails|IpInHdrErrors|TcpExtIPReversePathFilter|IpExtInNoRoutes|IpExtInCsumErrors)$' || true
    conntrack_drops
}

# The same of the table of connections: packets that it had no room for, and entries that it gave up for others.
conntrack_drops() {
    local -A sum=()
    local names fields i name
    {
        read -ra names
        while read -ra fields; do
            for i in "${!names[@]}"; do
                case ${names[i]} in drop | early_drop) sum[${names[i]}]=$((${sum[${names[i]}]-0} + 16#${fields[i]})) ;; esac
            done
        done
    } 2>/dev/null </proc/net/stat/nf_conntrack || return 0
    for name in "${!sum[@]}"; do echo "${sum[$name]} conntrack_$name"; done
}

# What grew between two lists of `NUMBER NAME`, as `GROWTH NAME`. A name may stand several times: its numbers are added.
grown() {
    awk '{ n = $1; sub(/^[^ ]* /, ""); grew[$0] += FILENAME == ARGV[1] ? -n : n }
        END { for (name in grew) if (grew[name] > 0) print grew[name], name }' "$1" "$2"
}

# Notes all counters in the working directory, under the name of a moment.
snapshot() {
    legacy_drops >"rules-$1"
    queue_drops >"queues-$1"
    kernel_drops >"kernel-$1"
    carrier_losses >"carriers-$1"
}
