#!/bin/bash
# The bare peer of `pulumi up`: the node program's phases on the lab's nodes over SSH, with `&` and `wait` wherever steps do not
# need each other, then the objects by kubectl. Reads the folder $WORK: the SSH key, known_hosts, the phases' parameters as
# NODE.PHASE, objects.json, preflight.json. Leaves there what the control plane answered and the Services.
# $HOSTS holds `NAME=ADDRESS` words, the control plane first; $PROGRAM is the node program's folder, $PODNET the `podnet` command.
set -euo pipefail
cd "$WORK"

declare -A address=()
names=()
for host in $HOSTS; do
    names+=("${host%%=*}")
    address[${host%%=*}]=${host#*=}
done
control=${names[0]}
workers=("${names[@]:1}")

# on NODE WORDS...: runs words on a node. Standard input goes there.
on() {
    local node=$1
    shift
    ssh -q -i key -o BatchMode=yes -o UserKnownHostsFile="$WORK/known_hosts" -o StrictHostKeyChecking=yes "root@${address[$node]}" "$@"
}

# phase NODE PHASE: prints what the phase answered.
phase() { on "$1" "bash --norc -p .podnet/program/start $2" <"$1.$2" | sed -n 's/^podnet [0-9a-f]* | //p'; }

kube() { on "$control" "/usr/local/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf $*"; }

# all FUNCTION NODE...: calls a function for each node at once, and fails when one of them does.
all() {
    local function=$1 node job jobs=()
    shift
    for node in "$@"; do
        "$function" "$node" &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job"; done
}

install() {
    tar -C "$PROGRAM" -cf - . | on "$1" 'mkdir -p .podnet/program && tar -xf - -C .podnet/program'
    phase "$1" take >/dev/null
    phase "$1" install >/dev/null
}

# What the control plane answered, as the lines of a file hold it.
answered() { sed 's/.*"'"$1"'":"\([^"]*\)".*/\1/' "$control.answer"; }

join() {
    sed -i "s/^token: .*/token: $(answered token)/; s/^ca-cert-hash: .*/ca-cert-hash: $(answered caCertHash)/" "$1.join"
    phase "$1" join >/dev/null
}

network() { phase "$1" network >/dev/null; }

control_plane() {
    install "$control"
    phase "$control" init >"$control.answer"
    phase "$control" members >/dev/null
}

node "$PODNET" preflight <preflight.json >/dev/null
all install "${workers[@]}" &
installed=$!
control_plane
wait "$installed"

all network "${names[@]}" &
networks=$!
phase "$control" change >/dev/null &
changed=$!
phase "$control" configure >/dev/null &
configured=$!
all join "${workers[@]}"
phase "$control" register >/dev/null
kube apply -f - <objects.json >/dev/null &
applied=$!
wait "$networks"
wait "$changed"
wait "$configured"
phase "$control" enable >/dev/null
wait "$applied"
kube rollout status deployment/web --timeout 120s >/dev/null
kube get services -A -o json >services.json
