# Whether a machine is fit for the node that is declared: its address, resolver, memory and disk; and its own settings that win
# over podnet's. It stands alone, as obstacles.sh does, and needs that one's `asked`. A finding a line; nothing is changed.
# shellcheck shell=bash

# Names of kubeadm's preflight checks that may fail here.
may_fail() { grep -qxF -- "$1" <<<"${asked[ignore]-}"; }

look_at_address() {
    local ip=${asked[internal-ip]-} link
    [ -n "$ip" ] || return 0
    link=$(ip -o -4 address show to "$ip/32" | awk '{ print $2; exit }')
    if [ -z "$link" ]; then
        echo "no link has the internal IP $ip; it has $(ip -o -4 address show | awk '$2 != "lo" { printf "%s%s", sep, $4; sep = ", " }'). Correct the node's internalIp"
    elif [ "$link" = lo ]; then
        echo "the internal IP $ip is on lo, which leads to no other machine; correct the node's internalIp, or give the address to the link to the other nodes"
    elif [ "$(cat "/sys/class/net/$link/operstate" 2>/dev/null)" = down ]; then
        echo "the link $link, which has the internal IP $ip, is down; turn it on (ip link set $link up) and see to its cable, or correct the node's internalIp"
    else
        look_at_mtu "$link"
    fi
}

# look_at_mtu LINK: whether the link carries a full packet of a pod, and what the network puts around it.
look_at_mtu() {
    local link=$1 declared=${asked[mtu]-} most
    [ -n "$declared" ] || return 0
    most=$(($(cat "/sys/class/net/$link/mtu") - ${asked[overhead]-0}))
    [ "$declared" -le "$most" ] ||
        echo "mtu $declared is more than the $most that its link $link leaves to pods, and packets between nodes would be lost; declare at most $most, or raise the link's MTU to $((declared + ${asked[overhead]-0})) on all machines"
}

# CoreDNS asks what the kubelet gives it, from inside a pod: there, a loopback address is CoreDNS itself.
look_at_resolver() {
    local file=${asked[resolver]-} servers server why usable=
    if [ -z "$file" ]; then
        file=/etc/resolv.conf
        # kubeadm has the kubelet read this one where it is kept.
        ! systemctl is-active -q systemd-resolved 2>/dev/null || file=/run/systemd/resolve/resolv.conf
    fi
    servers=$(awk '$1 == "nameserver" { print $2 }' "$file" 2>/dev/null || true)
    if [ -z "$servers" ]; then
        echo "$file names no resolver, and CoreDNS ends without one; put a line \"nameserver ADDRESS\" there, with an address that pods reach"
        return
    fi
    for server in $servers; do
        why=$(bad_resolver "$server")
        if [ -n "$why" ]; then
            echo "$file names the resolver $server, $why. Name one that pods reach, or set resolvConf in the node's kubeletConfig to a file that does"
            return
        fi
        [[ $server == *:* ]] || usable=yes
    done
    [ -n "$usable" ] || echo "$file names IPv6 resolvers alone (${servers//$'\n'/, }), which pods do not reach: they have IPv4 addresses. Name one by its IPv4 address, or set resolvConf in the node's kubeletConfig to a file that does"
}

# Why CoreDNS can make nothing of a resolver; nothing where it can.
bad_resolver() {
    local name
    case ${1,,} in
        127.* | ::1 | ::1%* | ::ffff:127.* | ::ffff:7f* | 0.0.0.0 | :: | ::ffff:0.0.0.0)
            echo "which in a pod is CoreDNS itself: it would ask itself for ever and end"
            return
            ;;
        *:*) return ;;
    esac
    for name in service-cidr pod-cidr; do
        if [ -n "${asked[$name]-}" ] && in_cidr "$1" "${asked[$name]}"; then
            echo "which is an address of the $name ${asked[$name]} of the cluster itself"
            return
        fi
    done
}

# in_cidr ADDRESS CIDR
in_cidr() {
    awk -v address="$1" -v cidr="$2" '
        function block(text,  p) { split(text, p, "."); return int((((p[1] * 256 + p[2]) * 256 + p[3]) * 256 + p[4]) / 2 ^ (32 - range[2])) }
        BEGIN { split(cidr, range, "/"); exit block(address) != block(range[1]) }'
}

# The folder that a path lies in, as far as it is there.
nearest() {
    local path=$1
    while [ ! -d "$path" ]; do path=${path%/*} path=${path:-/}; done
    echo "$path"
}

# look_at_room PATH MEGABYTES WHAT: room for what podnet puts there. `room` is what was asked for of each file system.
look_at_room() {
    local path free device
    path=$(nearest "$1")
    device=$(device_of "$path")
    [ "${room["$device"]-0}" -lt "$2" ] || return 0
    room["$device"]=$2
    free=$(df -Pm "$path" | awk 'NR == 2 { print $4 }')
    [ "${free:-$2}" -ge "$2" ] || echo "$1 has $free MiB free, and $3 take up to $2 MiB; make room there"
}

look_at_size() {
    local least=500 memory
    local -A room=()
    [ "${asked[role]-}" != control-plane ] || least=1700
    memory=$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)
    [ -z "${asked[role]-}" ] || [ "$memory" -ge "$least" ] || may_fail Mem ||
        echo "it has $memory MiB of memory, and a ${asked[role]} needs $least MiB; give it more, or list Mem in the node's ignorePreflightErrors"
    [ "${asked[role]-}" != control-plane ] || [ "$(nproc)" -ge 2 ] || may_fail NumCPU ||
        echo "it has one processor, and a control plane needs two; give it more, or list NumCPU in the node's ignorePreflightErrors"
    look_at_room /usr/local/bin 512 "Kubernetes' programs"
    look_at_room /var/lib/containerd 2048 "images"
    look_at_room /var/lib/podnet 600 "downloads"
    [ "${asked[role]-}" != control-plane ] || look_at_room /var/lib/etcd 512 "the cluster's objects"
    look_at_room /var/lib/kubelet 100 "what pods write"
}

# Below what shares the kubelet by default evicts pods, and takes none, whatever room they leave
# (https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#hard-eviction-thresholds).
look_at_eviction() {
    if [ -n "${asked[eviction]-}" ] || kubelet_defaults | grep -E -- '--eviction[-_]hard' >/dev/null; then return 0; fi
    look_at_share /var/lib/containerd 15
    # The stricter of the two holds for both where they are one file system.
    [ "$(device_of /var/lib/containerd)" = "$(device_of /var/lib/kubelet)" ] || look_at_share /var/lib/kubelet 10
}

device_of() { stat -Lc %d "$(nearest "$1")"; }

# look_at_share PATH PERCENT: what of its file system has to be free; of inodes it is 5 %. Some file systems do not count those.
look_at_share() {
    local path=$1 least=$2 folder percent what
    folder=$(nearest "$path")
    while read -r what least percent; do
        [ -z "$what" ] || echo "the file system of $path has $percent % of its $what free, and the kubelet evicts pods below $least %; make room there, or set evictionHard in the node's kubeletConfig"
    done <<<"$({
        df -Pm "$folder" | awk -v least="$least" 'NR == 2 && $2 + 0 > 0 && 100 * $4 < least * $2 { print "space", least, int(100 * $4 / $2) }'
        df -Pi "$folder" | awk -v least=5 'NR == 2 && $2 + 0 > 0 && 100 * $4 < least * $2 { print "inodes", least, int(100 * $4 / $2) }'
    } 2>/dev/null)"
}

# Folders that podnet, kubeadm, the kubelet and the runtime put files into: nothing can be installed where one is read-only.
look_at_writable() {
    local folder path
    for folder in /usr/local/bin /usr/local/sbin /opt/cni/bin /etc/systemd/system /etc/sysctl.d /etc/modules-load.d /etc/cni/net.d \
        /etc/containerd /etc/kubernetes /var/lib /var/lib/{etcd,kubelet,containerd}; do
        path=$(nearest "$folder")
        # Once where it is for a folder above.
        [ -w "$path" ] || [[ $folder == /var/lib/* && ! -w /var/lib ]] || echo "$folder cannot be written: $path is read-only; mount it writable, or use another machine"
    done
}

# Folders of programs: where nothing can be run, the first program of podnet's fails.
look_at_noexec() {
    local folder target options told=' '
    for folder in /usr/local/bin /usr/local/sbin /opt/cni/bin; do
        read -r target options <<<"$(findmnt -nro TARGET,OPTIONS -T "$(nearest "$folder")" 2>/dev/null || true)"
        if [[ ,$options, != *,noexec,* || $told == *" $target "* ]]; then continue; fi
        told+="$target "
        echo "$folder cannot hold programs: $target is mounted noexec; take that out (mount -o remount,exec $target, and in /etc/fstab), or use another machine"
    done
}

# Whether the kernel has a module already: loaded, or built in.
has_module() { [ -d "/sys/module/$1" ] || grep -qs "/$1\.ko" "/lib/modules/$(uname -r)/modules.builtin"; }

# Whether somebody has modprobe run a program that does nothing in a module's place, as guides to hardening say.
barred() {
    ! has_module "$1" && modprobe -nv "$1" 2>/dev/null | grep -E '^install (/usr)?/bin/(false|true)' >/dev/null
}

# Modules that every node needs. Of those that networks need the preflight asks.
look_at_modules() {
    local module
    for module in overlay nf_conntrack; do
        ! barred "$module" ||
            echo "modprobe.d bars the kernel's module $module, which podnet needs; take its line out (grep -rw $module /etc/modprobe.d /run/modprobe.d /usr/lib/modprobe.d)"
    done
}

# Controllers of control groups, without which neither kubelet nor runtime starts a pod.
look_at_cgroups() {
    local name there missing=''
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        there=$(cat /sys/fs/cgroup/cgroup.controllers)
    else
        there=$(awk '!/^#/ && $4 == 1 { print $1 }' /proc/cgroups 2>/dev/null || true)
    fi
    [ -n "$there" ] || return 0
    for name in cpu cpuset memory pids; do grep -qw "$name" <<<"$there" || missing+=" $name"; done
    [ -z "$missing" ] || echo "the kernel has no control group controller$missing here, and the kubelet needs them; turn them on in the kernel's command line (take out cgroup_disable, put in cgroup_enable=memory where that one is missing, systemd.unified_cgroup_hierarchy=1 where cgroup v1 has them) and reboot"
}

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

# Seconds in which another machine has to answer: more than the kernel's own search for its link address takes.
PEER_SECONDS=5

# Whether the machine reaches those that it will talk to. Nothing need listen there yet: a refusal is an answer of that machine.
look_at_peers() {
    local name ip port
    while read -r name ip port; do
        [ -z "$port" ] || look_at_peer "$name" "$ip" "$port" &
    done <<<"${asked[peer]-}"
    wait
}

look_at_peer() {
    local name=$1 ip=$2 port=$3 code=0 error
    # shellcheck disable=SC2016
    error=$(timeout "$PEER_SECONDS" bash --norc -c 'exec 3<>"/dev/tcp/$0/$1"' "$ip" "$port" 2>&1) || code=$?
    case $code/$error in
        0/* | *'Connection refused'*) return 0 ;;
        124/*) error="no answer within $PEER_SECONDS s" ;;
        *) error=$(sed -n '1s/.*: //p' <<<"$error") ;;
    esac
    echo "it does not reach node $name at $ip port $port ($error), and the cluster needs that; let TCP to that port pass in the firewalls of both machines and between them, and see that $ip is where node $name answers the others"
}

# Next hops that are named; of the others only their number.
NAMED_HOPS=3

# named_hops COUNT NAMES: `w1 (192.0.2.1), w2 (192.0.2.2) and 5 more`.
named_hops() {
    local more=$(($1 - NAMED_HOPS)) names
    names=$(head -n "$NAMED_HOPS" <<<"$2" | paste -sd, | sed 's/,/, /g')
    if [ "$more" -gt 0 ]; then echo "$names and $more more"; else echo "$names"; fi
}

# Whether the nodes that this one is to route to by themselves are on its links. The kernel refuses another next hop, but only when
# the route is made, which is after the cluster.
look_at_next_hops() {
    local name ip route gateway
    local -A hops=() count=()
    while read -r name ip; do
        [ -n "$ip" ] || continue
        route=$(ip -o -4 route get "$ip" 2>/dev/null || true)
        case $route in
            '') gateway=none ;;
            *' via '*) gateway=${route#* via } gateway=${gateway%% *} ;;
            *) continue ;;
        esac
        hops["$gateway"]+="${hops["$gateway"]+$'\n'}$name ($ip)"
        count["$gateway"]=$((${count["$gateway"]-0} + 1))
    done <<<"${asked[next-hop]-}"
    for gateway in "${!hops[@]}"; do
        name=$(named_hops "${count["$gateway"]}" "${hops["$gateway"]}")
        if [ "$gateway" = none ]; then
            echo "it has no route to $name, and the nodes have to reach each other; give it one, or correct the internalIps"
        else
            echo "it reaches $name by the gateway $gateway alone, and this network needs all nodes on one link-layer segment (a next hop must be on-link). Correct the internalIps, or choose a network that crosses gateways: flannel with the backend vxlan, or cilium with the routing mode tunnel"
        fi
    done | sort
}

# All that makes the machine unfit, one finding a line.
look_at_fitness() {
    look_at_address
    look_at_peers
    look_at_next_hops
    look_at_resolver
    look_at_size
    look_at_eviction
    look_at_writable
    look_at_noexec
    look_at_cgroups
    look_at_modules
    overruled
}
