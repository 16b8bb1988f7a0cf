# Takes the machine for one node of one stack: looks for every obstacle first, then leaves the owner's mark. Its undo takes off
# whatever the other phases left, so that nothing of a failed update outlives a destroy.
# shellcheck shell=bash
use lib/node
use lib/cni
use lib/obstacles

lasts 300

declare_take() { takes owner node cluster files; }

do_take() {
    local obstacles
    if [ ! -e "$STATE/owner" ]; then
        obstacles=$(look_for_obstacles)
        if [ -n "$obstacles" ]; then
            # Nothing of podnet's stays on it but the upload, which the next update starts again.
            remove_copies
            rm -rf "$RUN"
            fail "this machine cannot become a node:
  - ${obstacles//$'\n'/$'\n'  - }"
        fi
        others | put_file "$BEFORE"
        put_file "$STATE/owner" <<<"$(value owner) $(value node) $(value cluster)"
    fi
    note_upload
    answer "{\"program\":$(json_string "${ROOT##*/}")}"
}

# Folders that podnet, kubeadm, the kubelet and the runtime share with others: what is there before stays, with its mode.
SHARED=(
    /var/lib/{containerd,kubelet,etcd} /etc/kubernetes/{manifests,pki/etcd,pki,tmp} /etc/kubernetes
    /opt/containerd/{bin,lib} /opt/containerd /etc/cni/net.d /etc/cni /opt/cni/bin /opt/cni /opt
    /var/lib/cni/{results,networks} /var/lib/cni /var/log/{containers,pods}
    /usr/libexec/kubernetes/kubelet-plugins/volume/exec /usr/libexec/kubernetes/kubelet-plugins/volume
    /usr/libexec/kubernetes/kubelet-plugins /usr/libexec/kubernetes /usr/libexec /usr/lib/modules /run/netns
)
# What they leave beside: pods' logs, sockets, a lock.
leftovers() {
    { find -H /var/log/containers /var/log/pods -mindepth 1 -maxdepth 1 2>/dev/null || true; }
    find /run -mindepth 1 -maxdepth 1 \( -name nri -o -name xtables.lock \)
}

# Chains of nftables, as `chain FAMILY TABLE NAME`.
chains() { nft list chains 2>/dev/null | awk '$1 == "table" { table = $2 " " $3 } $1 == "chain" { print "chain", table, $2 }' || true; }

# What was there when the machine was taken, one a line: `folder MODE PATH`, `left PATH`, `table FAMILY NAME`,
# `chain FAMILY TABLE NAME`.
others() {
    local folder
    for folder in "${SHARED[@]}"; do
        [ ! -d "$folder" ] || stat -L -c 'folder %a %n' "$folder"
    done
    {
        leftovers
        find /run/netns -mindepth 1 -maxdepth 1 -name 'cni-*' 2>/dev/null || true
        # What networks' agents and plugins name as others do.
        find -H /var/lib/cni/results -mindepth 1 -maxdepth 1 2>/dev/null || true
        find /etc/cni/net.d -mindepth 1 -maxdepth 1 -name '*.cilium_bak' 2>/dev/null || true
        find /sys/class/net -mindepth 1 -maxdepth 1 -name 'lxc*'
    } | sed 's/^/left /'
    nft list tables 2>/dev/null || true
    chains
}

# The mode that a folder had when the machine was taken; nothing where it was not there.
mode_before() { awk -v path="$1" '$1 == "folder" && $3 == path { print $2 }' "$BEFORE" 2>/dev/null || true; }

give_back_folders() {
    local folder mode left
    # What they hold is containers' and pods'; they were empty when the machine was taken.
    for folder in /var/lib/{containerd,kubelet,etcd}; do
        # What could not be unmounted is not gone into.
        find -H "$folder" -xdev -mindepth 1 -not -path "$folder/lost+found*" -delete 2>/dev/null || true
    done
    while read -r left; do
        [ -z "$left" ] || remove_new "$left"
    done <<<"$(leftovers)"
    for folder in "${SHARED[@]}"; do
        mode=$(mode_before "$folder")
        if [ -z "$mode" ]; then
            rmdir "$folder" 2>/dev/null || true
        elif [ -L "$folder" ] && [ ! -e "$folder" ]; then
            # The disk that it leads to is not there.
            continue
        elif [ ! -d "$folder" ]; then
            mkdir -p "$folder"
            chmod "$mode" "$folder"
        elif [ "$(stat -L -c %a "$folder")" != "$mode" ]; then
            chmod "$mode" "$folder"
        fi
    done
}

# Takes off the chains and tables of kubelet and kube-proxy, pods' host ports, and the tables of iptables that are there for nobody any more.
give_back_rules() {
    local family table name
    remove_chains 'KUBE-'
    for family in ip ip6; do
        grep -qsxF "table $family kube-proxy" "$BEFORE" || nft delete table "$family" kube-proxy 2>/dev/null || true
    done
    remove_host_ports
    while read -r _ family name; do
        case $family/$name in
            ip/filter | ip/nat | ip/mangle | ip/raw | ip6/filter | ip6/nat | ip6/mangle | ip6/raw) ;;
            *) continue ;;
        esac
        ! grep -qxF "table $family $name" "$BEFORE" 2>/dev/null || continue
        if bare nft list table "$family" "$name"; then nft delete table "$family" "$name"; fi
    done <<<"$(nft list tables 2>/dev/null || true)"
    # Built-in chains that came with them; one that has rules cannot be deleted.
    while read -r _ family table name; do
        case $table/$name in
            filter/[A-Z]* | nat/[A-Z]* | mangle/[A-Z]* | raw/[A-Z]*)
                grep -qxF "chain $family $table $name" "$BEFORE" 2>/dev/null || ! bare nft list chain "$family" "$table" "$name" ||
                    nft delete chain "$family" "$table" "$name" 2>/dev/null || true
                ;;
        esac
    done <<<"$(chains)"
}

# The program's copies; what still runs of it is in memory.
remove_copies() {
    local base=${ROOT%/*}
    rm -rf "$base"/[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f] "$base/current" "$base"/.new.* "$base"/.current.*
    rmdir "$base" 2>/dev/null || true
}

# The program goes last, and the upload last of it, whole: an undo that is interrupted before is run again by it, and where
# neither the upload nor a mark is left, nothing is.
remove_program() {
    remove_copies
    [ -z "${PODNET_UPLOAD-}" ] || remove_upload "$PODNET_UPLOAD"
}

# Removes an upload, whole or not at all.
remove_upload() {
    rm -rf "$1.gone"
    [ ! -d "$1" ] || mv -T "$1" "$1.gone"
    rm -rf "$1.gone"
    rmdir "${1%/*}" 2>/dev/null || true
}

# Uploads of other SSH users go while the mark is there.
remove_other_uploads() {
    local upload
    while read -r upload; do
        [ -z "$upload" ] || [ "$upload" = "${PODNET_UPLOAD-}" ] || remove_upload "$upload"
    done <<<"$(cat "$UPLOADS" 2>/dev/null || true)"
}

# Mounts below the folders of the runtime and the kubelet, the innermost first, as /proc/mounts writes them.
pod_mounts() {
    local folder real
    for folder in /run/containerd /var/lib/containerd /var/lib/kubelet; do
        # Nothing is mounted below a link that leads nowhere.
        real=$(readlink -e "$folder" || true)
        if [ -z "$real" ] || [ "$real" = / ]; then continue; fi
        awk -v below="$real/" 'substr($2, 1, length(below)) == below { print $2 }' /proc/mounts
    done | sort -r
}

undo_take() {
    local mount pid other
    for other in network join init install; do
        [ -e "$ROOT/phases/$other.sh" ] || continue
        use "phases/$other"
        "undo_$other" whole-machine
        rm -f "$STATE/work/$other"
    done
    systemctl disable -q --now containerd 2>/dev/null || true
    while read -r pid; do kill -9 "$pid" 2>/dev/null || true; done \
        <<<"$(ps -eo pid=,args= | awk '$2 == "/usr/local/bin/containerd-shim-runc-v2" { print $1 }')"
    # The control groups of pods; of some hierarchies systemd knows nothing.
    systemctl stop kubepods.slice 2>/dev/null || true
    find /sys/fs/cgroup -depth -type d -path '*/kubepods.slice*' -exec rmdir {} + 2>/dev/null || true
    # What is mounted below these folders is containers' and pods'; what is mounted on them is the machine's.
    # A space in a path is \040 there.
    while read -r mount; do [ -z "$mount" ] || umount -l "$(printf '%b' "$mount")" 2>/dev/null || true; done <<<"$(pod_mounts)"
    # Pods' links go with their namespaces, and the bridge once it has none.
    for mount in $(own_namespaces); do
        umount -l "$mount" 2>/dev/null || true
        rm -f "$mount"
    done
    if [ -e "$STATE/bridge-left" ]; then
        wait_until 10 "the links of the last pods to go" no_pod_on_bridge || true
        remove_empty_bridge
    fi
    rm -rf /run/containerd
    remove_new /var/lib/cni/results/{podnet,cni-loopback}-*
    give_back_rules
    undo_record install
    give_back_folders
    remove_other_uploads
    # The owner's mark goes last, with what was there before, so that an undo that is interrupted can be run again.
    find "$STATE" -mindepth 1 -not -path "$STATE/owner" -not -path "$BEFORE" -delete
    rm -f "$STATE/owner"
    rm -rf "$STATE" "$RUN"
    remove_program
}
