# Kube-router on a node: its agent makes bridge, routes and rules; this takes them off again.
# shellcheck shell=bash

install_kube_router() { keep_sysctls; }

remove_kube_router() {
    local link
    rm -f /etc/cni/net.d/10-kuberouter.conflist /etc/cni/net.d/.kuberouter.new
    remove_chains 'KUBE-ROUTER-|KUBE-NWPLCY-|KUBE-POD-FW-' '--match-set (inet6:)?kube-router-|--comment "?(kube-router|KUBE-ROUTER rule|allow outbound node port traffic on node interface|allow (in|out)bound traffic (to|from) pods)'
    remove_sets '^(inet6:)?(kube-router-|KUBE-SRC-|KUBE-DST-|TMP-)'
    # 17 is Zebra's route protocol, which its BGP library gives its routes.
    ip -4 route flush root "$(pods_of_network)" proto 17 2>/dev/null || true
    remove_pod_routes
    for link in kube-dummy-if kube-bridge; do
        if [ -d "/sys/class/net/$link" ]; then ip link delete "$link"; fi
    done
    rm -rf /var/lib/kube-router /var/lib/cni/networks/mynet /var/lib/cni/networks/kubernetes
    remove_new /var/lib/cni/results/mynet-* /var/lib/cni/results/kubernetes-*
}
