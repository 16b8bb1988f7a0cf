# Holds the cluster's members to the declared ones, on the control plane, before any of them joins: drains and takes out the
# workers that podnet joined and that are no longer declared, or not with these addresses, while the others still know the way
# to their pods, and keeps the bootstrap token that the declared ones join with valid.
# shellcheck shell=bash
use lib/node

lasts 900

declare_members() {
    takes owner node files
    takes_list member address
}

# declared NAME POD-CIDR ADDRESS: whether a node is declared as the API server has it. Nobody can change a node's
# pod CIDR there. Names are compared as texts: two of them may be the same number.
declared() {
    each member | awk -v node="$1" -v cidr="$2" '$1 == node "" && (cidr == "-" || $2 == cidr) { found = 1 } END { exit !found }' &&
        { [ "$3" = - ] || [ -z "$(each address)" ] || grep -qxF -- "$1 $3" <<<"$(each address)"; }
}

# Workers that podnet joined, as `NAME POD-CIDR ADDRESS`; what the API server does not know of one is `-`.
joined_workers() {
    # shellcheck disable=SC2016
    kube get nodes -l "$MANAGED=yes" -o 'go-template={{range .items}}{{$ip := "-"}}{{range .status.addresses}}{{if eq .type "InternalIP"}}{{$ip = .address}}{{end}}{{end}}{{.metadata.name}} {{if .spec.podCIDR}}{{.spec.podCIDR}}{{else}}-{{end}} {{$ip}}{{"\n"}}{{end}}'
}

remove_member() {
    local ready
    say "taking the node $1 out of the cluster"
    ready=$(kube get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null || true)
    if [ "$ready" = True ]; then
        kubectl --kubeconfig "$ADMIN_CONF" drain "$1" --ignore-daemonsets --delete-emptydir-data --force --timeout 120s >&2 || true
    else
        # Nobody there would end its pods.
        say "the node $1 is not Ready, so its pods are not waited for"
    fi
    kube delete node "$1" --ignore-not-found >&2
    # The garbage collector would take most of a minute, in which Services still send requests there.
    kube delete pods --all-namespaces --field-selector "spec.nodeName=$1" --force --grace-period 0 >&2 2>/dev/null || true
}

# The Secret that makes a bootstrap token valid (https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/). It does
# not expire: a node may join, or join anew, at any time, and nothing would renew it. Who has it has the state too, which holds
# the administrator's kubeconfig.
token_secret() {
    local token
    token=$(cat "$JOIN_TOKEN")
    printf '{"apiVersion":"v1","kind":"Secret","type":"bootstrap.kubernetes.io/token","metadata":{"namespace":"kube-system","name":%s},"stringData":{"token-id":%s,"token-secret":%s,"usage-bootstrap-authentication":"true","usage-bootstrap-signing":"true","auth-extra-groups":"system:bootstrappers:kubeadm:default-node-token"}}\n' \
        "$(json_string "bootstrap-token-${token%%.*}")" "$(json_string "${token%%.*}")" "$(json_string "${token#*.}")"
}

# By standard input: a command line shows.
keep_token() {
    local token secret
    token=$(cat "$JOIN_TOKEN")
    secret=bootstrap-token-${token%%.*}
    # One that an earlier version made ends after a day, and an apply would leave that field there.
    [ -z "$(kube -n kube-system get secret "$secret" --ignore-not-found -o 'jsonpath={.data.expiration}')" ] ||
        kube -n kube-system delete secret "$secret" >/dev/null
    kube apply --server-side --force-conflicts --field-manager podnet -f - >/dev/null <<<"$(token_secret)" ||
        fail "the API server takes no bootstrap token"
}

do_members() {
    local workers node cidr address
    wait_until 120 "the API server" api_ready
    workers=$(joined_workers)
    while read -r node cidr address; do
        [ -z "$node" ] || declared "$node" "$cidr" "$address" || remove_member "$node" </dev/null
    done <<<"$workers"
    keep_token
    answer "{}"
}

undo_members() { :; }
