# What podnet does for a node's pods itself, where no agent does: egress masquerade, and routes to the peers.
# shellcheck shell=bash

export NETWORK_FOLDER=$STATE/network
export ROUTE_PROTOCOL=71
export EGRESS_TABLE=podnet

# The peers' routes as `CIDR NEXT-HOP` lines. `A via B and N more` means N further ones, each the next subnet by the next address.
expand_routes() {
    each route | awk '
        function number(text,  p) { split(text, p, "."); return ((p[1] * 256 + p[2]) * 256 + p[3]) * 256 + p[4] }
        function dotted(n) { return int(n / 16777216) "." int(n / 65536) % 256 "." int(n / 256) % 256 "." n % 256 }
        {
            split($1, cidr, "/")
            from = number(cidr[1]); via = number($3); step = 2 ^ (32 - cidr[2]); more = $4 == "and" ? $5 : 0
            for (i = 0; i <= more; i++) print dotted(from + i * step) "/" cidr[2], dotted(via + i)
        }'
}

# The nftables script that masquerades what a node's pods send out of the cluster, and nothing that goes to a pod or to a node:
# those must see the pod's own address. Loading it replaces the table as one transaction. $1 is the file of routes.
egress_rules() {
    local inside
    inside=$({ value pod-cidr; echo; value internal-ip; echo; cut -d' ' -f2 "$1"; } | awk 'NF && !seen[$0]++ { printf "%s%s", sep, $0; sep = ", " }')
    cat <<END
table ip $EGRESS_TABLE
delete table ip $EGRESS_TABLE
table ip $EGRESS_TABLE {
	set inside {
		type ipv4_addr
		flags interval
		elements = { $inside }
	}
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr $(value node-pod-cidr) ip daddr != @inside ip daddr != 224.0.0.0/4 fib daddr type != local masquerade fully-random
	}
}
END
}

# Installs the unit that keeps it in force, and puts it into force now. $1 is `routes` where the routes are podnet's own too.
keep_routing() {
    local peers
    nft list table ip "$EGRESS_TABLE" >/dev/null 2>&1 && [ ! -e "$NETWORK_FOLDER/egress.nft" ] &&
        fail "an nftables table ip $EGRESS_TABLE was there before podnet; take it away first (nft delete table ip $EGRESS_TABLE)"
    keep_sysctls
    peers=$(mktemp "$RUN/routes.XXXXXX")
    expand_routes >"$peers"
    put_file "$NETWORK_FOLDER/sysctl.conf" <"$ROOT/files/network-sysctl.conf"
    put_file "$NETWORK_FOLDER/node" <<<"internal-ip $(value internal-ip)
pod-cidr $(value pod-cidr)
node-pod-cidr $(value node-pod-cidr)"
    egress_rules "$peers" | put_file "$NETWORK_FOLDER/egress.nft"
    if [ "$1" = routes ]; then put_file "$NETWORK_FOLDER/routes" <"$peers"; else put_file "$NETWORK_FOLDER/routes" </dev/null; fi
    rm -f "$peers"
    sed "s|@PROGRAM@|${ROOT%/*}/current|" "$ROOT/files/podnet-network.service" | make_file /etc/systemd/system/podnet-network.service
    /bin/bash --norc -p "$ROOT/routes" apply
    systemctl daemon-reload
    enable_unit podnet-network
    systemctl restart podnet-network
}

# Takes it off again. Reads the pod CIDR from what was put there.
drop_routing() {
    local side cidr pods
    if [ ! -e "$NETWORK_FOLDER/node" ]; then
        rm -rf "$NETWORK_FOLDER"
        return
    fi
    systemctl disable -q --now podnet-network 2>/dev/null || true
    pods=$(awk '$1 == "pod-cidr" { print $2 }' "$NETWORK_FOLDER/node")
    ip -4 route flush proto "$ROUTE_PROTOCOL" 2>/dev/null || true
    while read -r _ cidr _; do
        [ -z "$cidr" ] || ip route del unreachable "$cidr" proto "$ROUTE_PROTOCOL" || true
    done <<<"$(ip -4 route show type unreachable proto "$ROUTE_PROTOCOL")"
    nft delete table ip "$EGRESS_TABLE" 2>/dev/null || true
    for side in -s -d; do
        while iptables -w -D FORWARD "$side" "$pods" -m comment --comment podnet -j ACCEPT 2>/dev/null; do :; done
    done
    rm -rf "$NETWORK_FOLDER"
}

# Kernel settings that a bridge of pods needs: all that podnet does for networks whose agent does the rest.
keep_sysctls() {
    expect_br_netfilter
    modprobe br_netfilter 2>/dev/null || true
    apply_sysctls <"$ROOT/files/network-sysctl.conf"
}
