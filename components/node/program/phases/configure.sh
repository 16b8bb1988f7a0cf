# Holds a cluster to those of its settings that may change while it lives, on the control plane: how kube-proxy serves ClusterIPs,
# and whether ordinary pods run on the control plane.
# shellcheck shell=bash
use lib/kubeadm
use lib/reasons

lasts 1500

declare_configure() { takes owner node files kube-proxy-mode schedulable; }

# Annotation of kube-proxy's pods: the mode that they were started for.
PROXY_MODE=podnet.dev/mode

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

# The mode that kube-proxy's configuration has.
configured_mode() {
    kube -n kube-system get configmap kube-proxy -o 'jsonpath={.data.config\.conf}' | awk '$1 == "mode:" && !seen++ { gsub(/"/, "", $2); print $2 }'
}

# The mode that kube-proxy's pods were last started for; nothing before the first change.
started_mode() { kube -n kube-system get daemonset kube-proxy -o "jsonpath={.spec.template.metadata.annotations.${PROXY_MODE//./\\.}}"; }

# Gives kube-proxy a mode. Each step is done again where it was interrupted before.
put_proxy_mode() {
    # Noted before the configuration changes: what was started differs from then on until its pods are new.
    [ -n "$(started_mode)" ] || start_proxies "$2"
    kube -n kube-system get configmap kube-proxy -o yaml | sed -E "s/^( +mode: ).*/\1$1/" | kube replace -f - >/dev/null
    start_proxies "$1"
}

start_proxies() {
    kube -n kube-system patch daemonset kube-proxy -p "{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"$PROXY_MODE\":\"$1\"}}}}}" >/dev/null
}

# kube-proxy reads its mode when it starts, and takes the rules of the other mode away. Where it does not run in the new one, it
# gets its old one back.
set_proxy_mode() {
    local mode now nodes causes
    mode=$(proxy_mode "$(value kube-proxy-mode)")
    now=$(configured_mode)
    if [ "$now" = "$mode" ]; then
        case $(started_mode) in '' | "$mode") return 0 ;; esac
    fi
    say "kube-proxy changes from $now to $mode"
    put_proxy_mode "$mode" "$now"
    nodes=$(kube get nodes -o name | wc -l)
    # It starts on one node after another.
    ! wait_until $((30 + 15 * nodes)) "kube-proxy on every node" workload_ready kube-system daemonset/kube-proxy || return 0
    causes=$(workload_causes kube-system kube-proxy k8s-app=kube-proxy)
    [ "$now" = "$mode" ] || put_proxy_mode "$now" "$now"
    fail "${causes:-the API server knows no reason}
  so kube-proxy does not run on every node in the mode $mode, and has its old one, $now, again"
}

do_configure() {
    wait_until 120 "the API server" api_ready
    set_taint
    set_proxy_mode
    answer "{}"
}

undo_configure() { :; }
