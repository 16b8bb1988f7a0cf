# Takes the machine for one node of one stack: looks for every obstacle first, then leaves the owner's mark. Its undo takes off
# whatever the other phases left, so that nothing of a failed update outlives a destroy.
# shellcheck shell=bash
use lib/node

lasts 300

declare_take() { takes owner node cluster files; }

obstacles=
obstacle() {
    obstacles+="
  - $*"
}

# What stands in the way of a machine that nobody has taken. Only what is not podnet's by the record is an obstacle.
look_for_obstacles() {
    local file folder missing='' program
    if [ -e "$STATE/claim" ]; then
        obstacle "podnet 0.1 took it for the cluster $(cat "$STATE/claim"), and this version cannot go on from there. It was left as it is. Destroy that stack first (pulumi destroy), then run the update again"
        return
    fi
    [ -d /run/systemd/system ] || obstacle "systemd is not the init system; podnet needs it to run containerd and the kubelet"
    case $(uname -m) in
        x86_64 | aarch64) ;;
        *) obstacle "$(uname -m) machines are not supported; use x86_64 or aarch64" ;;
    esac
    for program in awk conntrack curl flock ip modprobe nft ps sha256sum sysctl tar timeout; do
        command -v "$program" >/dev/null || missing+=" $program"
    done
    [ -z "$missing" ] ||
        obstacle "missing programs:$missing; on Debian and Ubuntu: apt-get install conntrack coreutils curl gawk iproute2 kmod nftables procps tar util-linux"
    [ ! -e "$KUBELET_CONF" ] || obstacle "it is a Kubernetes node already; run kubeadm reset on it first"
    for file in "$ADMIN_CONF" /etc/kubernetes/manifests/*.yaml /etc/kubernetes/pki/ca.crt /etc/containerd/config.toml \
        /etc/systemd/system/containerd.service /etc/systemd/system/kubelet.service \
        /usr/local/bin/{kubelet,kubeadm,kubectl,containerd,containerd-shim-runc-v2,ctr,crictl} /usr/local/sbin/runc \
        /opt/cni/bin/{bridge,host-local,loopback,portmap}; do
        [ ! -e "$file" ] || recorded "$file" || obstacle "$file belongs to another installation; move it away first"
    done
    for folder in /var/lib/etcd /var/lib/kubelet /var/lib/containerd; do
        [ -n "$(ls -A "$folder" 2>/dev/null)" ] || continue
        # The lab's node image brings images in containerd's store.
        [ "$folder" != /var/lib/containerd ] || [ ! -e /usr/local/share/podnet/preloaded.json ] || continue
        obstacle "$folder holds $(du -sh "$folder" 2>/dev/null | cut -f 1) of somebody's data; move it away, or use another machine"
    done
    for program in docker containerd crio; do
        ! systemctl is-active -q "$program" || obstacle "the service $program runs here; podnet runs a containerd of its own, and the two would collide"
    done
}

do_take() {
    if [ ! -e "$STATE/owner" ]; then
        look_for_obstacles
        [ -z "$obstacles" ] || fail "this machine cannot become a node:$obstacles"
        put_file "$STATE/owner" <<<"$(value owner) $(value node) $(value cluster)"
    fi
    answer "{\"program\":$(json_string "${ROOT##*/}")}"
}

# The program goes last; what still runs of it is in memory.
remove_program() {
    local base=${ROOT%/*}
    if [ -n "${PODNET_UPLOAD-}" ]; then
        rm -rf "$PODNET_UPLOAD"
        rmdir "${PODNET_UPLOAD%/*}" 2>/dev/null || true
    fi
    rm -rf "$base"/[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f] "$base/current" "$base"/.new.* "$base"/.current.*
    rmdir "$base" 2>/dev/null || true
}

undo_take() {
    local folder mount pid other
    for other in network join init install; do
        [ -e "$ROOT/phases/$other.sh" ] || continue
        use "phases/$other"
        "undo_$other" whole-machine
        rm -f "$STATE/work/$other"
    done
    systemctl disable -q --now containerd 2>/dev/null || true
    while read -r pid; do kill -9 "$pid" 2>/dev/null || true; done \
        <<<"$(ps -eo pid=,args= | awk '$2 == "/usr/local/bin/containerd-shim-runc-v2" { print $1 }')"
    # What is mounted below these folders is containers' and pods'; what is mounted on them is the machine's.
    while read -r mount; do [ -z "$mount" ] || umount -l "$mount" 2>/dev/null || true; done \
        <<<"$(awk '$2 ~ "^/(run/containerd|var/lib/containerd|var/lib/kubelet)/" || $2 ~ "^/run/netns/cni-" { print $2 }' /proc/mounts | sort -r)"
    if [ -e "$STATE/bridge-left" ]; then
        wait_until 10 "the links of the last pods to go" no_pod_on_bridge || true
        remove_empty_bridge
    fi
    # They were empty when the machine was taken.
    for folder in /var/lib/containerd /var/lib/kubelet /var/lib/etcd; do
        find "$folder" -mindepth 1 -delete 2>/dev/null || true
        rmdir "$folder" 2>/dev/null || true
    done
    rm -rf /run/containerd /var/lib/cni/results/{podnet,cni-loopback}-*
    for folder in /etc/kubernetes/{manifests,pki/etcd,pki,tmp} /etc/kubernetes /opt/containerd/{bin,lib} /opt/containerd \
        /etc/cni/net.d /etc/cni /opt/cni/bin /opt/cni /var/lib/cni/{results,networks} /var/lib/cni; do
        rmdir "$folder" 2>/dev/null || true
    done
    undo_record install
    # The owner's mark goes last, so that an undo that is interrupted can be run again.
    find "$STATE" -mindepth 1 -not -path "$STATE/owner" -delete
    rm -rf "$STATE" "$RUN"
    remove_program
}
