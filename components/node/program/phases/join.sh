# Joins the machine to the cluster whose CA the parameters pin, or leaves one that has joined as it is. Takes the bootstrap
# token: a secret.
# shellcheck shell=bash
use lib/kubeadm

lasts 600

declare_join() {
    takes owner node files internal-ip endpoint token ca-cert-hash
    may_take kubelet-config
    takes_list ignore-preflight-error
}

# kubeadm's configuration of a worker. Fields: https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/
join_config() {
    printf '{"apiVersion":"kubeadm.k8s.io/v1beta4","kind":"JoinConfiguration","discovery":{"bootstrapToken":{"apiServerEndpoint":%s,"token":%s,"caCertHashes":[%s]}},"nodeRegistration":%s,"patches":{"directory":%s}}\n' \
        "$(json_string "$(value endpoint)")" "$(json_string "$(value token)")" "$(json_string "$(value ca-cert-hash)")" \
        "$(node_registration '[]')" "$(json_string "$PATCHES")"
}

do_join() {
    local config=$RUN/join.json
    link_of "$(value internal-ip)" >/dev/null
    write_kubelet_patch
    if [ "$(cat "$STATE/joined" 2>/dev/null)" != "$(value ca-cert-hash)" ] || [ ! -e "$KUBELET_CONF" ]; then
        if [ -e "$KUBELET_CONF" ] || [ -e /etc/kubernetes/bootstrap-kubelet.conf ] || [ -e /etc/kubernetes/pki/ca.crt ]; then
            kubeadm_reset
        fi
        # It holds the token, so it does not outlive the phase.
        trap 'rm -f "$RUN/join.json"' EXIT
        join_config | put_file "$config" 0600
        kubeadm_run join --config "$config"
        put_file "$STATE/joined" <<<"$(value ca-cert-hash)"
    fi
    systemctl is-active -q kubelet || systemctl start kubelet
    answer "{}"
}

undo_join() {
    [ -e "$STATE/joined" ] || [ -z "${1-}" ] || return 0
    forget_cluster
    remove_kube_proxy_rules
}
