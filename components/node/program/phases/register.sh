# Registers the members, on the control plane, after they joined: each Node object carries its declared pod CIDR.
# shellcheck shell=bash
use lib/node

lasts 600

declare_register() {
    takes owner node files
    takes_list member
}

nodes_with_cidrs() { kube get nodes -o 'jsonpath={range .items[*]}{.metadata.name} {.spec.podCIDR}{"\n"}{end}'; }

# Whether every member has registered; prints those that have not.
registered() {
    local lines
    lines=$(nodes_with_cidrs 2>&1) || { echo "$lines"; return 1; }
    none "$(awk 'NR == FNR { seen[$1] = 1; next } !($1 in seen) { printf "%s%s", sep, $1; sep = ", " }' \
        <(printf '%s\n' "$lines") <(each member))"
}

do_register() {
    local name cidr seen nodes
    wait_until 120 "every node to register with the API server (see journalctl -u kubelet on it)" registered ||
        fail "not every node has registered; a kubelet whose node somebody deleted registers when it starts anew (systemctl restart kubelet on that machine)"
    nodes=$(nodes_with_cidrs)
    while read -r name cidr; do
        seen=$(awk -v name="$name" '$1 == name "" { print $2 }' <<<"$nodes")
        if [ -z "$seen" ]; then
            kube patch node "$name" -p "{\"spec\":{\"podCIDR\":\"$cidr\",\"podCIDRs\":[\"$cidr\"]}}" >/dev/null
        elif [ "$seen" != "$cidr" ]; then
            fail "node $name has pod CIDR $seen, and Kubernetes lets nobody change it to $cidr; delete the node and join it anew"
        fi
        # Not the control plane: it is never taken out.
        [ "$name" = "$(value node)" ] || kube label node "$name" --overwrite "$MANAGED=yes" >/dev/null
    done <<<"$(each member)"
    answer "{}"
}

undo_register() { :; }
