# Cilium on a node: the bpf filesystem for its agent; and what takes its programs, maps, links and rules off again.
# shellcheck shell=bash

# Says that the bpf filesystem was mounted for Cilium: systemd mounts it on machines, but not in containers.
bpffs_mounted=$STATE/bpffs-mounted
cilium_cgroup=/run/cilium/cgroupv2

install_cilium() {
    local key value
    if ! grep ' /sys/fs/bpf bpf ' /proc/mounts >/dev/null; then
        # Noted first: a run that is killed in between would leave it.
        put_file "$bpffs_mounted" <<<yes
        mount -t bpf bpf /sys/fs/bpf
    fi
    set_sysctl net.ipv4.ip_forward 1
    # What its agent sets. It turns off BPF of unprivileged users too, which the kernel lets nobody turn on again before a boot.
    while read -r key value; do expect_sysctl "$key" "$value"; done <<<"net.ipv4.conf.all.rp_filter 0
kernel.timer_migration 0
net.core.bpf_jit_enable 1
net.ipv4.fib_multipath_use_neigh 1"
}

remove_cilium() {
    local link table family mount file
    rm -f /etc/cni/net.d/05-cilium.conflist /opt/cni/bin/cilium-{cni,mount,sysctlfix} /etc/sysctl.d/99-zzz-override_cilium.conf
    # A program stays attached as long as its link is pinned, a map as long as it is.
    rm -rf /sys/fs/bpf/cilium /sys/fs/bpf/tc/globals/cilium_* 2>/dev/null || true
    rmdir /sys/fs/bpf/tc/globals /sys/fs/bpf/tc 2>/dev/null || true
    # Pods' links are pairs; a bridge lxcbr0 is LXC's, and so may a pair be that was there before.
    for link in $({ ip -o link show type veth | awk '$2 ~ /^lxc/'; ip -o link | awk '$2 ~ /^cilium_/'; } | awk -F'[ :@]+' '{ print $2 }'); do
        was_there "/sys/class/net/$link" || ip link delete "$link" 2>/dev/null || true
    done
    for link in /sys/class/net/*; do
        link=${link##*/}
        if [[ $(tc filter show dev "$link" ingress 2>/dev/null) == *cil_* ]]; then tc qdisc delete dev "$link" clsact 2>/dev/null || true; fi
    done
    restore_local_rule
    for table in 2004 2005; do
        while ip rule delete table "$table" 2>/dev/null; do :; done
        ip route flush table "$table" 2>/dev/null || true
    done
    remove_pod_routes
    # While its agent starts, its chains have the longer name.
    remove_chains '(OLD_)?CILIUM_'
    # The raw table is there for Cilium alone, unless somebody else has rules in it.
    for family in ip ip6; do
        if ! grep -qxF "table $family raw" "$BEFORE" 2>/dev/null && bare nft list table "$family" raw; then
            nft delete table "$family" raw 2>/dev/null || true
        fi
    done
    remove_sets '^cilium_'
    while read -r mount; do [ -z "$mount" ] || umount -l "$mount" 2>/dev/null || true; done \
        <<<"$(awk -v cgroup="$cilium_cgroup" '$2 == cgroup || $2 ~ "^/(var/)?run/cilium/" { print $2 }' /proc/mounts | sort -r)"
    rm -rf /run/cilium /var/lib/cni/networks/cilium
    remove_new /var/lib/cni/results/cilium-*
    if [ -e "$bpffs_mounted" ]; then
        umount -l /sys/fs/bpf 2>/dev/null || true
        rm -f "$bpffs_mounted"
    fi
    for file in /etc/cni/net.d/*.cilium_bak; do
        if [ -e "$file" ] && ! was_there "$file"; then mv -f "$file" "${file%.cilium_bak}"; fi
    done
}

# Cilium moves the rule of the local table from 0 to 100.
restore_local_rule() {
    local rules
    rules=$(ip rule show)
    grep -q '^100:.*lookup local' <<<"$rules" || return 0
    grep -q '^0:' <<<"$rules" || ip rule add pref 0 lookup local
    ip rule delete pref 100 lookup local
}
