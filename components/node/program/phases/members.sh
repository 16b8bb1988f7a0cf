# Holds the cluster's members to the declared ones, on the control plane, before any of them joins: drains and takes out the
# workers that podnet joined and that are no longer declared, while the others still know the way to their pods, and keeps the
# bootstrap token that the declared ones join with. Answers with the token: a secret.
# shellcheck shell=bash
use lib/node

lasts 900
MANAGED=podnet.dev/managed

declare_members() {
    takes owner node files
    takes_list member
}

declared() { each member | awk -v node="$1" '$1 == node { found = 1 } END { exit !found }'; }

remove_member() {
    say "taking the node $1 out of the cluster"
    kubectl --kubeconfig "$ADMIN_CONF" drain "$1" --ignore-daemonsets --delete-emptydir-data --force --timeout 120s >&2 || true
    kube delete node "$1" --ignore-not-found >&2
    # The garbage collector would take most of a minute, in which Services still send requests there.
    kube delete pods --all-namespaces --field-selector "spec.nodeName=$1" --force --grace-period 0 >&2 2>/dev/null || true
}

# The token that this cluster's nodes join with: minted once, valid for a day after each run of this phase.
join_token() {
    local token=$STATE/join-token
    if [ ! -e "$token" ]; then kubeadm token generate | put_file "$token" 0600; fi
    kubeadm --kubeconfig "$ADMIN_CONF" token delete "$(cut -d. -f1 <"$token")" >/dev/null 2>&1 || true
    kubeadm --kubeconfig "$ADMIN_CONF" token create "$(cat "$token")" --ttl 24h >/dev/null 2>&1 ||
        fail "the API server takes no bootstrap token"
    cat "$token"
}

do_members() {
    local node
    wait_until 120 "the API server" api_ready
    for node in $(kube get nodes -l "$MANAGED=yes" -o 'jsonpath={.items[*].metadata.name}'); do
        declared "$node" || remove_member "$node"
    done
    answer "{\"token\":$(json_string "$(join_token)")}"
}

undo_members() { :; }
