# What the change of network keeps on the control plane, from its begin (change) to its end (enable).
# shellcheck shell=bash
use lib/node

# Pods that are made anew: namespace, name and the containers they had.
export PODS_BEFORE=$STATE/switched-pods
# Ids of the networks that are being left.
export LEAVING=$STATE/leaving
# Annotation of the nodes that podnet cordoned, label of a node's network, label of agents' pods.
export CORDONED=podnet.dev/cordoned
export NETWORK_LABEL=podnet.dev/network
export AGENT_LABEL=podnet.dev/agent

# Pods as `namespace name node hostNetwork phase restartPolicy owner ready containers`, one a line.
list_pods() {
    # shellcheck disable=SC2016
    kube get pods --all-namespaces -o 'go-template={{range .items}}{{.metadata.namespace}} {{.metadata.name}} {{if .spec.nodeName}}{{.spec.nodeName}}{{else}}-{{end}} {{if .spec.hostNetwork}}host{{else}}pod{{end}} {{.status.phase}} {{.spec.restartPolicy}} {{if .metadata.ownerReferences}}owned{{else}}bare{{end}} {{$ready := "no"}}{{range .status.conditions}}{{if and (eq .type "Ready") (eq .status "True")}}{{$ready = "yes"}}{{end}}{{end}}{{$ready}} {{range .status.containerStatuses}}{{.containerID}},{{end}}{{"\n"}}{{end}}'
}

# Takes off the nodes' objects what agents said there, which is no longer so.
forget_agents() {
    local node
    for node in $(kube get nodes -o 'jsonpath={.items[*].metadata.name}'); do
        kube annotate node "$node" flannel.alpha.coreos.com/{backend-data,backend-v6-data,backend-type,public-ip,public-ipv6,kube-subnet-manager,node-public-ip}- >/dev/null 2>&1 || true
        # shellcheck disable=SC2016
        kube patch node "$node" --subresource=status --type=strategic -p '{"status":{"conditions":[{"type":"NetworkUnavailable","$patch":"delete"}]}}' >/dev/null
    done
}

# Loads what a kind of network keeps in the API server: objects_of_users and remove_objects. Fails when it keeps nothing.
load_objects() {
    [ -f "$ROOT/networks/$1/cluster.sh" ] || return 1
    use "networks/$1/cluster"
}

# The kind of a network by its id: the longest name of a folder that it begins with.
kind_of() {
    local folder kind=
    for folder in "$ROOT"/networks/*/; do
        folder=${folder%/}
        folder=${folder##*/}
        if [[ $1 == "$folder" || $1 == "$folder"-* ]] && [ "${#folder}" -gt "${#kind}" ]; then kind=$folder; fi
    done
    echo "$kind"
}
