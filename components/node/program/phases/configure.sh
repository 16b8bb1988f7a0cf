# Holds a cluster to those of its settings that may change while it lives, on the control plane: how kube-proxy serves ClusterIPs,
# and whether ordinary pods run on the control plane.
# shellcheck shell=bash
use lib/kubeadm

lasts 300

declare_configure() { takes owner node files kube-proxy-mode schedulable; }

CONTROL_PLANE_TAINT=node-role.kubernetes.io/control-plane

set_taint() {
    local effect
    effect=$(kube get node "$(value node)" -o "jsonpath={.spec.taints[?(@.key==\"$CONTROL_PLANE_TAINT\")].effect}")
    if [ "$(value schedulable)" = no ]; then
        [ -n "$effect" ] || kube taint node "$(value node)" "$CONTROL_PLANE_TAINT=:NoSchedule" >/dev/null
    elif [ -n "$effect" ]; then
        kube taint node "$(value node)" "$CONTROL_PLANE_TAINT-" >/dev/null
    fi
}

# kube-proxy reads its mode when it starts, and takes the rules of the other mode away.
set_proxy_mode() {
    local mode now
    mode=$(proxy_mode "$(value kube-proxy-mode)")
    now=$(kube -n kube-system get configmap kube-proxy -o 'jsonpath={.data.config\.conf}' | awk '$1 == "mode:" { gsub(/"/, "", $2); print $2; exit }')
    [ "$now" != "$mode" ] || return 0
    say "kube-proxy changes from $now to $mode"
    kube -n kube-system get configmap kube-proxy -o yaml | sed -E "s/^( +mode: ).*/\1$mode/" | kube replace -f - >/dev/null
    kube -n kube-system rollout restart daemonset kube-proxy >/dev/null
    wait_until 120 "kube-proxy on every node" workload_ready kube-system daemonset/kube-proxy ||
        fail "kube-proxy does not run on every node in the mode $mode"
}

do_configure() {
    wait_until 120 "the API server" api_ready
    set_taint
    set_proxy_mode
    answer "{}"
}

undo_configure() { :; }
