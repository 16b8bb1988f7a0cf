# Makes the machine a control plane, or leaves a working one as it is. Answers with the administrator's kubeconfig in base64, the
# hash of the cluster CA's public key, and the bootstrap token that nodes join with: a secret.
# shellcheck shell=bash
use lib/kubeadm

lasts 900

declare_init() {
    takes owner node cluster kubernetes internal-ip pod-cidr node-pod-cidr service-cidr dns-domain
    may_take kubelet-config
    takes_list cert-san ignore-preflight-error
}

# What kubeadm tells the controllers. Pod CIDRs are declared, so none are allocated. One control plane has nobody to elect a leader
# among: nodes would wait for the election, and for a controller manager that may ask the API server 20 things a second only.
NO_ELECTION='{"name":"leader-elect","value":"false"}'
CONTROLLERS='"controllerManager":{"extraArgs":[{"name":"allocate-node-cidrs","value":"false"},{"name":"kube-api-qps","value":"100"},{"name":"kube-api-burst","value":"200"},'$NO_ELECTION']},"scheduler":{"extraArgs":['$NO_ELECTION']}'

# kubeadm's configuration, one document a line (JSON is YAML). What may change later is the phase configure's to set. kube-proxy leaves the kernel's conntrack settings to sysctl.d.
# Fields: https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/
init_config() {
    local sans
    sans=$(printf '%s\n%s\n' "$(value internal-ip)" "$(each cert-san)" | awk 'NF && !seen[$0]++' | json_list)
    printf '{"apiVersion":"kubeadm.k8s.io/v1beta4","kind":"InitConfiguration","localAPIEndpoint":{"advertiseAddress":%s,"bindPort":6443},"nodeRegistration":%s,"patches":{"directory":%s},"timeouts":%s}\n---\n' \
        "$(json_string "$(value internal-ip)")" "$(node_registration '[]')" "$(json_string "$PATCHES")" "$KUBEADM_TIMEOUTS"
    printf '{"apiVersion":"kubeadm.k8s.io/v1beta4","kind":"ClusterConfiguration","clusterName":%s,"kubernetesVersion":%s,"networking":{"podSubnet":%s,"serviceSubnet":%s,"dnsDomain":%s},"apiServer":{"certSANs":%s},%s}\n---\n' \
        "$(json_string "$(value cluster)")" "$(json_string "$(value kubernetes)")" "$(json_string "$(value pod-cidr)")" \
        "$(json_string "$(value service-cidr)")" "$(json_string "$(value dns-domain)")" "$sans" "$CONTROLLERS"
    printf '{"apiVersion":"kubelet.config.k8s.io/v1beta1","kind":"KubeletConfiguration","cgroupDriver":"systemd"}\n---\n'
    printf '{"apiVersion":"kubeproxy.config.k8s.io/v1alpha1","kind":"KubeProxyConfiguration","mode":"%s","conntrack":{"maxPerCore":0,"min":0,"tcpEstablishedTimeout":"0s","tcpCloseWaitTimeout":"0s"}}\n' "$(proxy_mode auto)"
}

do_init() {
    local hash
    [ ! -e "$STATE/joined" ] ||
        fail "this machine is a worker of the cluster, and podnet does not move a control plane. Give the role back to the node that has it; or make the cluster anew with pulumi destroy and pulumi up, which ends all that runs in it"
    [ ! -e "$STATE/initialized" ] || refuse_changes
    link_of "$(value internal-ip)" >/dev/null
    write_kubelet_patch
    init_config | put_file "$STATE/kubeadm-init.yaml" 0600
    if [ ! -e "$STATE/initialized" ]; then
        # What an interrupted run left would stop kubeadm's preflight checks.
        if [ -d /etc/kubernetes/manifests ] || [ -d /var/lib/etcd/member ]; then kubeadm_reset; fi
        kubeadm_run init --config "$STATE/kubeadm-init.yaml" --skip-token-print --skip-certificate-key-print
        note_kubelet_patch
        note_fixed_settings
        put_file "$STATE/initialized" <<<yes
    elif ! api_ready; then
        systemctl restart containerd kubelet
        wait_until 120 "the API server" api_ready || fail "the API server does not answer; see: crictl ps -a"
    fi
    apply_kubelet_patch
    renew_server_certificate
    if [ ! -e "$JOIN_TOKEN" ]; then kubeadm token generate | put_file "$JOIN_TOKEN" 0600; fi
    # By itself: inside the answer a failure would go unseen.
    hash=$(ca_hash)
    answer "{\"kubeconfig\":\"$(base64 -w0 "$ADMIN_CONF")\",\"caCertHash\":\"sha256:$hash\",\"token\":$(json_string "$(cat "$JOIN_TOKEN")")}"
}

# Makes the API server's certificate anew when it lacks a name that it is to be reached by.
renew_server_certificate() {
    local name check said pki=/etc/kubernetes/pki missing=''
    while read -r name; do
        # openssl takes a name for an address that matches.
        check=-checkhost
        if [[ $name =~ ^[0-9.]+$|: ]]; then check=-checkip; fi
        said=$(openssl x509 -noout -in "$pki/apiserver.crt" "$check" "$name" 2>&1 || true)
        [[ -z $name || $said == *"does match"* ]] || missing+=" $name"
    done <<<"$(each cert-san)"
    [ -n "$missing" ] || return 0
    say "the API server's certificate gets the names$missing"
    rm -f "$pki"/apiserver.{crt,key}
    kubeadm_run init phase certs apiserver --config "$STATE/kubeadm-init.yaml"
    for name in $(cri ps -q --name '^kube-apiserver$'); do cri stop "$name" >/dev/null; done
    wait_until 120 "the API server" api_ready || fail "the API server does not answer with its new certificate; see: crictl ps -a"
}

# The hash of the CA's public key, as kubeadm pins it: of its SubjectPublicKeyInfo.
ca_hash() { openssl x509 -pubkey -noout -in /etc/kubernetes/pki/ca.crt | openssl pkey -pubin -outform der | sha256sum | cut -d' ' -f1; }

undo_init() {
    [ -e "$STATE/initialized" ] || [ -z "${1-}" ] || return 0
    forget_cluster
    remove_kube_proxy_rules
    rm -f "$STATE/kubeadm-init.yaml" "$JOIN_TOKEN"
}
