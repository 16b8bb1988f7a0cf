# What Cilium keeps in the API server: definitions, and the objects that its users made of them.
# shellcheck shell=bash

# Prints the names of the objects of Cilium's kinds that its users made, which would go with its definitions.
objects_of_users() {
    local kind
    for kind in $(kube get customresourcedefinitions -o name | sed -n 's|.*/\(.*\)\.cilium\.io$|\1|p'); do
        case $kind in ciliumendpoints | ciliumendpointslices | ciliumidentities | ciliumnodes) continue ;; esac
        kube get "$kind.cilium.io" --all-namespaces -o 'jsonpath={range .items[*]}{.kind}{" "}{.metadata.namespace}/{.metadata.name}{"\n"}{end}' 2>/dev/null || true
    done
}

# Takes the definitions out, the operator gone.
remove_objects() {
    local definition
    for definition in $(kube get customresourcedefinitions -o name | awk '/\.cilium\.io$/'); do
        kubectl --kubeconfig "$ADMIN_CONF" delete "$definition" --wait --timeout 60s >&2
    done
}
