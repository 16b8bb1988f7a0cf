# Prepares the cluster for a network, on the control plane, before any node changes. Where another network is on the nodes:
# refuses when something that a user deployed would be lost, cordons the nodes, notes their pods, and ends the old network's
# agents. Answers with a generation, new whenever it ran.
# shellcheck shell=bash
use lib/switch

lasts 600

declare_change() { takes owner node files network kind replaces-kube-proxy; }

# Ids of other networks that are on nodes, or that an interrupted change was leaving.
other_networks() {
    {
        kube get nodes -o "jsonpath={range .items[*]}{.metadata.labels.${NETWORK_LABEL//./\\.}}{\"\\n\"}{end}"
        cat "$LEAVING" 2>/dev/null || true
    } | awk -v network="$(value network)" 'NF && $0 != network && !seen[$0]++'
}

# Whether a network of another kind than the new one leaves this kind's objects behind.
kinds_left() {
    local id
    for id in $others; do kind_of "$id"; done | awk -v kind="$(value kind)" 'NF && $0 != kind && !seen[$0]++'
}

refuse_losses() {
    local problems='' lost kind
    lost=$(list_pods | awk '$4 == "pod" && $5 == "Running" && $6 == "Never" && $7 == "bare" { print "  " $1 "/" $2 }')
    [ -z "$lost" ] || problems="these pods run once and belong to no controller, so nothing would start them again; let them end or delete them:
$lost"
    for kind in $(kinds_left); do
        load_objects "$kind" || continue
        lost=$(objects_of_users)
        [ -z "$lost" ] || problems+="${problems:+
}these objects mean something to $kind only and would go with it; write them anew for $(value network), or delete them:
${lost//$'\n'/$'\n'  }"
    done
    [ -z "$problems" ] ||
        fail "the network stays ${others//$'\n'/ }, since a change to $(value network) would lose something; no node was touched: $problems"
}

note_pods() {
    [ ! -e "$PODS_BEFORE" ] || return 0
    list_pods | awk '$4 == "pod" && $5 == "Running" && $8 == "yes" { print $1, $2, $9 }' | put_file "$PODS_BEFORE"
}

cordon_nodes() {
    local node
    for node in $(kube get nodes -o 'go-template={{range .items}}{{if not .spec.unschedulable}}{{.metadata.name}}{{"\n"}}{{end}}{{end}}'); do
        kube annotate node "$node" --overwrite "$CORDONED=yes" >/dev/null
        kube cordon "$node" >/dev/null
    done
}

no_agent_left() {
    none "$(kube get pods --all-namespaces -l "$AGENT_LABEL" -o 'go-template={{range .items}}{{if .spec.nodeName}}{{.metadata.namespace}}/{{.metadata.name}} {{end}}{{end}}')"
}

end_agents() {
    # The agents' DaemonSets choose nodes by this label, so they end without their objects being touched.
    kube label nodes --all "$NETWORK_LABEL-" >/dev/null
    kube delete pods --all-namespaces -l "$AGENT_LABEL" --field-selector status.phase!=Pending --wait=false >/dev/null 2>&1 || true
    wait_until 90 "the old network's agents to end" no_agent_left || fail "agents of the old network do not end"
}

no_kube_proxy() { none "$(kube -n kube-system get pods -l k8s-app=kube-proxy -o name)"; }

set_kube_proxy() {
    local replaced
    replaced=$(kube -n kube-system get daemonset kube-proxy -o 'jsonpath={.spec.template.spec.nodeSelector.podnet\.dev/kube-proxy}')
    if [ "$(value replaces-kube-proxy)" = yes ] && [ -z "$replaced" ]; then
        kube -n kube-system patch daemonset kube-proxy -p '{"spec":{"template":{"spec":{"nodeSelector":{"podnet.dev/kube-proxy":"replaced"}}}}}' >/dev/null
        wait_until 60 "kube-proxy to end" no_kube_proxy || true
    elif [ "$(value replaces-kube-proxy)" = no ] && [ -n "$replaced" ]; then
        kube -n kube-system patch daemonset kube-proxy -p '{"spec":{"template":{"spec":{"nodeSelector":{"podnet.dev/kube-proxy":null}}}}}' >/dev/null
    fi
}

do_change() {
    local others kind
    others=$(other_networks)
    if [ -n "$others" ]; then
        refuse_losses
        put_file "$LEAVING" <<<"$others"
        note_pods
        cordon_nodes
        end_agents
        for kind in $(kinds_left); do
            if load_objects "$kind"; then remove_objects; fi
        done
        forget_agents
    fi
    set_kube_proxy
    answer "{\"network\":$(json_string "$(value network)"),\"generation\":\"$(date +%s%N)\"}"
}

# Takes the network's traces out of the API server, its objects and agents gone, if the API server is still there.
undo_change() {
    if [ ! -e "$ADMIN_CONF" ] || ! kube get --raw /readyz >/dev/null 2>&1; then return 0; fi
    kube label nodes --all "$NETWORK_LABEL-" >/dev/null
    if load_objects "$(value kind)"; then remove_objects; fi
    forget_agents
}
