# What kubeadm is told on this node, by the control plane and by workers alike.
# shellcheck shell=bash
use lib/node lib/fixed

export PATCHES=$STATE/kubeadm-patches
# This node's changes to the cluster's KubeletConfiguration; and those that its kubelet runs with.
KUBELET_PATCH=$PATCHES/kubeletconfiguration0+merge.json
KUBELET_PATCH_APPLIED=$STATE/kubelet-patch
KUBELET_CONFIG=/var/lib/kubelet/config.yaml
# The configuration that the kubelet ran with, while it is given another one.
KUBELET_CONFIG_BEFORE=$STATE/kubelet-config.before

cgroup_v1() { [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]; }

# Names of kubeadm's preflight checks that may fail here; that of the system fails on cgroup v1 as such.
ignored_checks() {
    {
        each ignore-preflight-error
        if cgroup_v1; then echo SystemVerification; fi
        # A file system of etcd's own is not empty, and holds nobody's data.
        if [ "$(ls -A /var/lib/etcd 2>/dev/null)" = lost+found ]; then echo DirAvailable--var-lib-etcd; fi
    } | sort -u | json_list
}

# Writes this node's changes to the cluster's KubeletConfiguration. Only a host with cgroup v1 is told to put up with it, which
# the kubelet has refused by default since v1.35.
write_kubelet_patch() {
    local config
    config=$(value kubelet-config)
    config=${config:-"{}"}
    if cgroup_v1; then
        if [ "$config" = "{}" ]; then config='{"failCgroupV1":false}'; else config="${config%\}},\"failCgroupV1\":false}"; fi
    fi
    put_file "$KUBELET_PATCH" <<<"$config"
}

# Notes that kubeadm has just given the kubelet what the patch says.
note_kubelet_patch() {
    put_file "$KUBELET_PATCH_APPLIED" <"$KUBELET_PATCH"
    rm -f "$KUBELET_CONFIG_BEFORE"
}

kubelet_answers() {
    local port text
    port=$(awk '$1 == "healthzPort:" { print $2 }' "$KUBELET_CONFIG")
    text=$(curl -q -sS --noproxy '*' --max-time 2 "http://127.0.0.1:${port:-10248}/healthz" 2>&1) || none "${text:-no answer}"
}

# Gives a kubelet that runs already what is new in the patch. One that does not start with it gets back what it had.
apply_kubelet_patch() {
    local words began
    ! cmp -s "$KUBELET_PATCH" "$KUBELET_PATCH_APPLIED" || return 0
    # None counts as applied until the kubelet runs with it: a run that was killed in between may have left either, or half of one.
    if [ -e "$KUBELET_PATCH_APPLIED" ] || [ ! -e "$KUBELET_CONFIG_BEFORE" ]; then
        cp -p "$KUBELET_CONFIG" "$KUBELET_CONFIG_BEFORE"
        rm -f "$KUBELET_PATCH_APPLIED"
    fi
    kubeadm_run upgrade node phase kubelet-config --patches "$PATCHES"
    # kubeadm's own copy of what was before.
    rm -rf /etc/kubernetes/tmp/kubeadm-kubelet-config*
    began=$(date +%s)
    systemctl restart kubelet
    if ! wait_until 30 "the kubelet" kubelet_answers; then
        words=$(kubelet_error "$began")
        cp -p "$KUBELET_CONFIG_BEFORE" "$KUBELET_CONFIG"
        systemctl restart kubelet
        fail "the kubelet does not run with this kubeletConfig, and has its old one again; correct it. The kubelet's last error: ${words:-none, see journalctl -u kubelet}"
    fi
    note_kubelet_patch
}

# The mode of kube-proxy that is meant by $1; it asks for kernel 5.13 for nftables
# (https://kubernetes.io/docs/reference/networking/virtual-ips/#proxy-mode-nftables).
proxy_mode() {
    local mode=$1
    if [ "$mode" = auto ]; then
        mode=iptables
        if printf '5.13\n%s\n' "$(uname -r)" | sort -CV && nft -c add table ip podnet-probe 2>/dev/null; then mode=nftables; fi
    fi
    echo "$mode"
}

# How long kubeadm waits, where its own minutes would tell of nothing new: a kubelet that starts answers within seconds.
export KUBEADM_TIMEOUTS='{"kubeletHealthCheck":"60s","discovery":"60s","tlsBootstrap":"120s"}'

# The part of kubeadm's configuration that registers this node, as JSON; $1 is its list of taints. The name is said even where it
# is the host name: kubeadm leaves it away then, and a host name that changes later would be another node's.
node_registration() {
    printf '{"name":%s,"criSocket":%s,"imagePullPolicy":"IfNotPresent","kubeletExtraArgs":[{"name":"hostname-override","value":%s},{"name":"node-ip","value":%s}],"ignorePreflightErrors":%s,"taints":%s}' \
        "$(json_string "$(value node)")" "$(json_string "$CRI_SOCKET")" "$(json_string "$(value node)")" "$(json_string "$(value internal-ip)")" \
        "$(ignored_checks)" "$1"
}

# Gives this machine's kubelet its cluster's way of telling nodes apart: one that was a member of another cluster is reset.
forget_cluster() {
    kubeadm_reset
    rm -rf "$STATE/initialized" "$STATE/joined" "$PATCHES" "$KUBELET_PATCH_APPLIED" "$KUBELET_CONFIG_BEFORE" "$FIXED"
}
