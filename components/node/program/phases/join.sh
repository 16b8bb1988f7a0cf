# Joins the machine to the cluster whose CA the parameters pin, or leaves one that has joined as it is declared. A node with
# another address or other pods' addresses joins anew: its Node object was taken out before. Takes the bootstrap token: a secret.
# shellcheck shell=bash
use lib/kubeadm

lasts 600

declare_join() {
    takes owner node files internal-ip node-pod-cidr endpoint token ca-cert-hash
    may_take kubelet-config
    takes_list ignore-preflight-error
}

# kubeadm's configuration of a worker. Fields: https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/
join_config() {
    printf '{"apiVersion":"kubeadm.k8s.io/v1beta4","kind":"JoinConfiguration","discovery":{"bootstrapToken":{"apiServerEndpoint":%s,"token":%s,"caCertHashes":[%s]}},"nodeRegistration":%s,"patches":{"directory":%s},"timeouts":%s}\n' \
        "$(json_string "$(value endpoint)")" "$(json_string "$(value token)")" "$(json_string "$(value ca-cert-hash)")" \
        "$(node_registration '[]')" "$(json_string "$PATCHES")" "$KUBEADM_TIMEOUTS"
}

# Whether the control plane has signed the token, whose public half is $1. Nothing that it says is believed here: kubeadm holds
# the API server to the pinned CA.
token_signed() {
    local info code=0
    info=$(curl -q -sS -k --noproxy '*' --max-time 5 "https://$(value endpoint)/api/v1/namespaces/kube-public/configmaps/cluster-info" 2>&1) || code=$?
    case $info in
        *"\"jws-kubeconfig-$1\""*) ;;
        *) if [ "$code" = 0 ]; then none "the token $1 is not signed"; else none "${info##*$'\n'}"; fi ;;
    esac
}

# kubeadm looks for the token's signature every five seconds, and the control plane makes it a second or two after the token.
await_signature() {
    local token reason
    token=$(value token)
    ! wait_until 30 "the API server at $(value endpoint)" token_signed "${token%%.*}" || return 0
    reason=$(token_signed "${token%%.*}" || true)
    [[ $reason != *"is not signed" ]] ||
        fail "the cluster knows no bootstrap token ${token%%.*}, without which nobody joins: somebody deleted it. Make it anew by pulumi up --replace with the URN of the cluster's command \"members\", then run the update again"
    say "kubeadm goes on and says why"
}

# joined_as CA-HASH ADDRESS POD-CIDR: whether the node has joined like this. An earlier version noted the first alone.
joined_as() {
    local ca='' address='' cidr=''
    if [ -e "$STATE/joined" ]; then read -r ca address cidr <"$STATE/joined" || true; fi
    [ -e "$KUBELET_CONF" ] && [ "$ca" = "$1" ] && { [ -z "$address" ] || [ "$address $cidr" = "$2 $3" ]; }
}

# Whether the API server says that it has no object for this node.
node_object_gone() {
    local said
    said=$(kubectl --kubeconfig "$KUBELET_CONF" --request-timeout 5s get node "$(value node)" -o name 2>&1 || true)
    [[ $said == *"(NotFound)"* ]]
}

# Takes the network off before a node joins anew: new pods would get addresses that the node had before. It comes back with its
# own phase, whose parameters hold the same addresses.
leave_network() {
    use phases/network
    systemctl stop kubelet 2>/dev/null || true
    stop_pods
    undo_network whole-machine
}

# Joins; prints why not yet where a machine that is gone had this node's name: kubeadm refuses until the cluster has seen that it is
# gone, which takes up to a minute. Any other reason is said, and nothing is waited for.
join_cluster() {
    local errors
    if errors=$(kubeadm_run join --config "$1" 2>&1); then return 0; fi
    if [[ $errors != *"already exists in the cluster"* ]]; then
        say "$errors"
        return 2
    fi
    kubeadm_reset
    none "the cluster has a node $(value node) that is Ready: a machine of this name that is gone, or another one that runs"
}

do_join() {
    local config=$RUN/join.json as
    [ ! -e "$STATE/initialized" ] ||
        fail "this machine is the cluster's control plane, and podnet does not make it a worker. Give it its role back; or make the cluster anew with pulumi destroy and pulumi up, which ends all that runs in it"
    as="$(value ca-cert-hash) $(value internal-ip) $(value node-pod-cidr)"
    link_of "$(value internal-ip)" >/dev/null
    write_kubelet_patch
    # shellcheck disable=SC2086
    if ! joined_as $as; then
        if [ -e "$STATE/joined" ] && [ "$(cut -d' ' -f1 "$STATE/joined")" = "$(value ca-cert-hash)" ]; then leave_network; fi
        if [ -e "$KUBELET_CONF" ] || [ -e /etc/kubernetes/bootstrap-kubelet.conf ] || [ -e /etc/kubernetes/pki/ca.crt ]; then
            kubeadm_reset
            rm -f "$STATE/joined"
        fi
        # It holds the token, so it does not outlive the phase.
        trap 'rm -f "$RUN/join.json"' EXIT
        join_config | put_file "$config" 0600
        await_signature
        wait_until 150 "joining the cluster" join_cluster "$config" ||
            fail "this machine did not join the cluster at $(value endpoint)"
        note_kubelet_patch
    fi
    put_file "$STATE/joined" <<<"$as"
    systemctl is-active -q kubelet || systemctl start kubelet
    # A kubelet registers its node when it starts, and never again.
    ! node_object_gone || systemctl restart kubelet
    apply_kubelet_patch
    answer "{}"
}

undo_join() {
    [ -e "$STATE/joined" ] || [ -z "${1-}" ] || return 0
    forget_cluster
    remove_kube_proxy_rules
}
