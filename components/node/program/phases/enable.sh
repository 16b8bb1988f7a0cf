# Ends the installation of a network, on the control plane, after every node is prepared: lets its agents run, waits for them
# and for Ready nodes, and after a change of network for the pods that were noted before it.
# shellcheck shell=bash
use lib/switch
use lib/reasons

lasts 900

declare_enable() {
    takes owner node files network
    may_take generation
    takes_list member rollout
}

names() { each member | cut -d' ' -f1; }

# Ends the phase with the cause, a line each where there are several, and then with what is not so for it.
fail_for() {
    local causes=$1 what=$2
    fail "${causes:-the API server knows no reason}
  so $what"
}

await_rollouts() {
    local kind path
    while read -r kind path; do
        [ -n "$kind" ] || continue
        wait_until 180 "$kind ${path#*/}" workload_ready "${path%/*}" "$kind/${path#*/}" && continue
        fail_for "$(workload_causes "${path%/*}" "${path#*/}" "$AGENT_LABEL")" "$kind ${path#*/} of $(value network) is not ready"
    done <<<"$(each rollout)"
}

nodes_ready() {
    none "$(awk 'NR == FNR { if ($2 == "True") ready[$1] = 1; next } !($1 in ready) { printf "%s%s", sep, $1; sep = ", " }' \
        <(kube get nodes -o 'jsonpath={range .items[*]}{.metadata.name} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}') <(names))"
}

pods_are_back() {
    none "$(awk 'NR == FNR { before[$1 "/" $2] = $3; next } ($1 "/" $2) in before && ($8 != "yes" || $9 == before[$1 "/" $2]) { printf "%s%s/%s", sep, $1, $2; sep = ", " }' \
        "$PODS_BEFORE" <(list_pods))"
}

do_enable() {
    local node
    # shellcheck disable=SC2046
    kube label --overwrite node $(names) "$NETWORK_LABEL=$(value network)" >/dev/null
    await_rollouts
    wait_until 120 "every node to be Ready" nodes_ready || fail_for "$(node_troubles)" "not every node is Ready"
    if [ -e "$PODS_BEFORE" ]; then
        wait_until 180 "the pods that ran before the change of network" pods_are_back ||
            fail_for "$(node_troubles)" "pods that ran before the change of network are not back"
    fi
    for node in $(kube get nodes -o "go-template={{range .items}}{{if index .metadata.annotations \"$CORDONED\"}}{{.metadata.name}}{{\"\\n\"}}{{end}}{{end}}"); do
        kube uncordon "$node" >/dev/null
        kube annotate node "$node" "$CORDONED-" >/dev/null
    done
    rm -f "$PODS_BEFORE" "$LEAVING"
    answer "{}"
}

undo_enable() { :; }
