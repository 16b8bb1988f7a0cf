# Takes the machine for one node of one stack: looks for every obstacle first, then leaves the owner's mark. Its undo takes off
# whatever the other phases left, so that nothing of a failed update outlives a destroy.
# shellcheck shell=bash
use lib/node
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
        put_file "$STATE/owner" <<<"$(value owner) $(value node) $(value cluster)"
    fi
    answer "{\"program\":$(json_string "${ROOT##*/}")}"
}

# The program's copies; what still runs of it is in memory.
remove_copies() {
    local base=${ROOT%/*}
    rm -rf "$base"/[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f] "$base/current" "$base"/.new.* "$base"/.current.*
    rmdir "$base" 2>/dev/null || true
}

# The program goes last.
remove_program() {
    if [ -n "${PODNET_UPLOAD-}" ]; then
        rm -rf "$PODNET_UPLOAD"
        rmdir "${PODNET_UPLOAD%/*}" 2>/dev/null || true
    fi
    remove_copies
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
