# Installs what makes a machine a node: binaries, units, kernel settings, containerd's configuration, images.
# shellcheck shell=bash
use lib/node
use lib/fetch

lasts 1800

declare_install() {
    takes owner node files role kubernetes pause-image
    may_take mirror
    takes_list sum image
}

# Where a release's files go, and which of an archive are taken: folder, folders to strip, members.
place_of() {
    case $1 in
        runc) echo "/usr/local/sbin 0" ;;
        containerd) echo "/usr/local/bin 1 containerd containerd-shim-runc-v2 ctr" ;;
        crictl) echo "/usr/local/bin 0 crictl" ;;
        cni-plugins) echo "/opt/cni/bin 0 bridge host-local loopback portmap" ;;
        *) echo "/usr/local/bin 0" ;;
    esac
}

# install_release NAME PATH SHA256: unless all of it is there from that very file.
install_release() {
    local name=$1 path=$2 sum=$3 folder strip members member present=yes fetched mark=$STATE/installed/$1
    read -r folder strip members <<<"$(place_of "$name")"
    for member in ${members:-$name}; do [ -x "$folder/$member" ] || present=; done
    if [ -n "$present" ] && [ "$(cat "$mark" 2>/dev/null)" = "$sum" ]; then return 0; fi
    fetch "$path" "$sum"
    # Binaries are large: each is copied once, from where it lies to its folder.
    if [ -n "$members" ]; then
        mkdir -p "$SCRATCH/$name"
        tar -xf "$fetched" -C "$SCRATCH/$name" --strip-components "$strip" --no-same-owner
        for member in $members; do
            mv "$(find "$SCRATCH/$name" -type f -name "$member" | head -n 1)" "$SCRATCH/.$member"
        done
        place_release "$folder" "$members"
    else
        ln -s "$fetched" "$SCRATCH/.$name"
        place_release "$folder" "$name" "$sum"
    fi
    put_file "$mark" <<<"$sum"
}

# place_release FOLDER FILES [SHA256]: puts unpacked files of a release in their folder. The checksum of a release that is one
# file is known. One at a time: the record is one file.
place_release() {
    local folder=$1 member
    local -A sums=()
    for member in $2; do sums[$member]=${3:-$(sum_of "$SCRATCH/.$member")}; done
    exec 8>"$SCRATCH/place.lock"
    flock 8
    make_dir "$folder"
    for member in $2; do
        note new "$folder/.$member.podnet-new"
        cp "$SCRATCH/.$member" "$folder/.$member.podnet-new"
        adopt_file "$folder/.$member.podnet-new" "$folder/$member" 0755 "${sums[$member]}"
    done
    exec 8>&-
}

# The checksum of a file: the one given for this mirror, else the one that its project publishes.
expected_sum() {
    local given_sum
    given_sum=$(each sum | awk -v name="$1" '$1 == name { print $2 }')
    printf '%s' "${given_sum:-$2}"
}

install_releases() {
    local arch name of sum path job jobs=() failed=
    case $(uname -m) in x86_64) arch=amd64 ;; *) arch=arm64 ;; esac
    while read -r name of sum path; do
        [ "$of" = "$arch" ] || continue
        install_release "$name" "$path" "$(expected_sum "$name" "$sum")" &
        jobs+=($!)
    done <"$ROOT/releases"
    for job in "${jobs[@]}"; do wait "$job" || failed=yes; done
    [ -z "$failed" ] || fail "some releases could not be installed"
}

# The kernel settings that every node needs, and swap, which the kubelet refuses.
set_kernel() {
    local module key value
    make_file /etc/modules-load.d/podnet.conf <"$ROOT/files/modules.conf"
    cat "$ROOT/files/network-sysctl.conf" "$ROOT/files/sysctl.conf" | make_file /etc/sysctl.d/90-podnet.conf
    expect_br_netfilter
    while read -r module; do modprobe "$module" 2>/dev/null || true; done <"$ROOT/files/modules.conf"
    apply_sysctls </etc/sysctl.d/90-podnet.conf
    # What the kubelet and kube-proxy set (protectKernelDefaults; localhostNodePorts).
    while read -r key value; do expect_sysctl "$key" "$value"; done <<<"vm.overcommit_memory 1
vm.panic_on_oom 0
kernel.panic 10
kernel.panic_on_oops 1
kernel.keys.root_maxkeys 1000000
kernel.keys.root_maxbytes 25000000
net.ipv4.conf.all.route_localnet 1"
    /bin/bash --norc -p "$ROOT/swap-off" >&2 || fail "swap cannot be turned off, and the kubelet does not run beside it"
}

configure_containerd() {
    local oom=false
    # A machine that may not lower an OOM score refuses a container that asks for it.
    (echo -1 >/proc/self/oom_score_adj) 2>/dev/null || oom=true
    sed "s/@OOM@/$oom/; s|@PAUSE@|$(value pause-image)|" "$ROOT/files/containerd.toml" | make_file /etc/containerd/config.toml
    make_dir /etc/cni/net.d
    make_file /etc/systemd/system/containerd.service <"$ROOT/files/containerd.service"
    sed "s|@PROGRAM@|${ROOT%/*}/current|" "$ROOT/files/kubelet.service" | make_file /etc/systemd/system/kubelet.service
    # A file of the owner's says where his tools look; podnet's own calls do not need one.
    if { [ ! -e /etc/crictl.yaml ] && [ ! -L /etc/crictl.yaml ]; } || recorded /etc/crictl.yaml; then make_file /etc/crictl.yaml <"$ROOT/files/crictl.yaml"; fi
}

do_install() {
    local unit
    scratch
    for unit in containerd kubelet; do [ -e "$STATE/$unit-started" ] || note_started "$unit"; done
    install_releases
    set_kernel
    configure_containerd
    systemctl daemon-reload
    as_started containerd || systemctl stop containerd 2>/dev/null || true
    enable_unit containerd
    enable_unit kubelet
    systemctl start containerd
    note_started containerd
    if ! as_started kubelet; then
        systemctl try-restart kubelet
        note_started kubelet
    fi
    give_images
    answer "{\"kubernetes\":$(json_string "$(value kubernetes)")}"
}

# The checksum of all that a unit has to be started anew for.
unit_sum() {
    local files=("/etc/systemd/system/$1.service" "$STATE/installed/$1")
    [ "$1" != containerd ] || files+=(/etc/containerd/config.toml "$STATE/installed/runc")
    cat "${files[@]}" 2>/dev/null | sha256sum || true
}

# With what a unit was started last. It is noted after it was, so that a run that is killed in between is made up for by the next.
note_started() { unit_sum "$1" | put_file "$STATE/$1-started"; }
as_started() { [ "$(unit_sum "$1")" = "$(cat "$STATE/$1-started")" ]; }

undo_install() {
    systemctl stop kubelet 2>/dev/null || true
    kubeadm_reset
    # The uninstall of the whole machine ends containers first, with the tools that are still there.
    [ -z "${1-}" ] || return 0
    systemctl stop containerd 2>/dev/null || true
    undo_record install
    rm -rf "$STATE/installed" "$STATE/images" "$STATE"/{containerd,kubelet}-started
}
