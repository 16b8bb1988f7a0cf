# What kubeadm is told on this node, by the control plane and by workers alike.
# shellcheck shell=bash
use lib/node

export PATCHES=$STATE/kubeadm-patches

cgroup_v1() { [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]; }

# Names of kubeadm's preflight checks that may fail here; that of the system fails on cgroup v1 as such.
ignored_checks() {
    {
        each ignore-preflight-error
        if cgroup_v1; then echo SystemVerification; fi
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
    put_file "$PATCHES/kubeletconfiguration0+merge.json" <<<"$config"
}

# The part of kubeadm's configuration that registers this node, as JSON; $1 is its list of taints.
node_registration() {
    printf '{"name":%s,"criSocket":%s,"imagePullPolicy":"IfNotPresent","kubeletExtraArgs":[{"name":"node-ip","value":%s}],"ignorePreflightErrors":%s,"taints":%s}' \
        "$(json_string "$(value node)")" "$(json_string "$CRI_SOCKET")" "$(json_string "$(value internal-ip)")" \
        "$(ignored_checks)" "$1"
}

# Gives this machine's kubelet its cluster's way of telling nodes apart: one that was a member of another cluster is reset.
forget_cluster() {
    kubeadm_reset
    rm -rf "$STATE/initialized" "$STATE/joined" "$PATCHES"
}
