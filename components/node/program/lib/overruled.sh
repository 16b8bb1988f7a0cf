# The machine's own settings that win over podnet's, at once or at the next boot. It stands alone with obstacles.sh. A finding a
# line; nothing is changed.
# shellcheck shell=bash

# Files of kernel settings in the order in which they are read at boot, those that come after podnet's own.
later_sysctl_files() {
    { find /etc/sysctl.d /run/sysctl.d /usr/local/lib/sysctl.d /usr/lib/sysctl.d -maxdepth 1 -name '*.conf' -printf '%f %p\n' 2>/dev/null || true; } |
        LC_ALL=C sort -s -k 1,1 -u | awk '$1 > "90-podnet.conf" { print $2 }'
    [ ! -e /etc/sysctl.conf ] || echo /etc/sysctl.conf
}

# Links that pods' packets come in by: what nodes make for pods, and the node's own to the other nodes and to the world.
forwarding_links() {
    local ip=${asked[internal-ip]-}
    # On a node nothing is declared, and it has been told.
    [ -n "$ip" ] || ip=$(sed -n 's/^internal-ip: //p' /var/lib/podnet/network-parameters 2>/dev/null || true)
    echo default cni0 cbr0 kube-bridge flannel.1 cilium_host cilium_net cilium_vxlan
    {
        [ -z "$ip" ] || ip -o -4 address show to "$ip/32" | awk '{ print "dev", $2 }'
        ip -4 route show default
    } 2>/dev/null | awk '{ for (i = 1; i < NF; i++) if ($i == "dev") print $(i + 1) }'
}

# Kernel settings that another file sets otherwise, after podnet's.
overruled_sysctls() {
    # shellcheck disable=SC2016
    later_sysctl_files | xargs -r awk -v links=" $(forwarding_links | paste -sd ' ') " '
        /^[ \t]*[#;]/ || !/=/ { next }
        {
            key = $0; sub(/[ \t]*=.*/, "", key); sub(/^[ \t]*-?[ \t]*/, "", key); gsub("/", ".", key)
            value = $0; sub(/^[^=]*=[ \t]*/, "", value); sub(/[ \t]*$/, "", value)
            if (key == "net.ipv4.conf.all.forwarding") key = "net.ipv4.ip_forward"
            link = key
            # A pattern is taken for one that has such a link.
            by_link = sub(/^net[.]ipv4[.]conf[.]/, "", link) && sub(/[.]forwarding$/, "", link) && (link ~ /[*?[]/ || index(links, " " link " "))
            if (by_link || key == "net.ipv4.ip_forward" || key == "net.bridge.bridge-nf-call-iptables") { said[key] = value; at[key] = FILENAME " line " FNR }
        }
        END { for (key in said) if (said[key] != 1) print at[key] " sets " key " = " said[key] ", which wins over the 1 that pods need; take it out" }
    ' | sort
}

# Drop-ins and flags that change what podnet's units start.
overruled_units() {
    local name folder file said flags
    for name in "${UNITS[@]}"; do
        for folder in "${UNIT_FOLDERS[@]}"; do
            for file in "$folder/$name.service.d"/*.conf; do
                [ -e "$file" ] || continue
                if [ "$name" = kubelet ] || grep -qE '^(Exec(Start|Condition)|Condition|Assert|User|RootDirectory)' "$file"; then
                    echo "$file changes what podnet's unit $name does; move it away"
                fi
            done
        done
    done
    said=$(kubelet_defaults)
    ! grep -q '^KUBELET_KUBEADM_ARGS ' <<<"$said" ||
        echo "/etc/default/kubelet sets KUBELET_KUBEADM_ARGS, which takes the place of what kubeadm gives the kubelet; take it out"
    flags=$(sed -n 's/^KUBELET_EXTRA_ARGS //p' <<<"$said" | tr -s ' \t"'\' '\n' | sed -nE 's/^(--[^=]+).*/\1/p' | tr _ - |
        grep -vxE -- "$HARMLESS_FLAGS" | awk '!seen[$0]++' | paste -sd ' ' || true)
    [ -z "$flags" ] || echo "/etc/default/kubelet gives the kubelet $flags, which wins over podnet's; take it out"
}

# Flags of the kubelet that change nothing that podnet says.
HARMLESS_FLAGS='--(v|vmodule|eviction-.*|image-gc-.*|.*-reserved|max-pods|register-with-labels|node-labels)'

# What the machine's own file gives the kubelet's unit, as systemd reads it: `VARIABLE TEXT`. A text may go on over lines.
kubelet_defaults() {
    { cat /etc/default/kubelet 2>/dev/null || true; } | sed -e ':again' -e '/\\$/ { N; s/\\\n//; b again' -e '}' | awk '
        /^[ \t]*([#;]|$)/ { next }
        match($0, /^[ \t]*[A-Za-z_][A-Za-z0-9_]*[ \t]*=/) {
            name = substr($0, 1, RLENGTH - 1); gsub(/[ \t]/, "", name)
            $0 = substr($0, RSTART + RLENGTH)
        }
        { print name, $0 }'
}

# The machine's own settings that win over podnet's, at once or at the next boot.
overruled() {
    overruled_sysctls
    overruled_units
}
