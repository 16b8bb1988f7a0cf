# Flannel on a node: its agent writes the conflist and makes the routes or the overlay. Where nothing is encapsulated, the
# egress rules are podnet's own.
# shellcheck shell=bash

install_flannel() {
    if [ "$(value egress)" = podnet ]; then keep_routing egress; else keep_sysctls; fi
}

remove_flannel() {
    local link
    rm -f /etc/cni/net.d/10-flannel.conflist /opt/cni/bin/flannel
    drop_routing
    for link in flannel.1 flannel-v6.1; do
        if [ -d "/sys/class/net/$link" ]; then ip link delete "$link"; fi
    done
    remove_pod_routes
    remove_chains 'FLANNEL-'
    remove_empty_bridge
    rm -rf /run/flannel /var/lib/cni/flannel /var/lib/cni/networks/cbr0
    remove_new /var/lib/cni/results/cbr0-*
}
