# Whether a machine is fit for the node that is declared: its address, resolver, memory, disk and kernel. It stands alone with
# obstacles.sh, reach.sh and overruled.sh. A finding a line; nothing is changed.
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
