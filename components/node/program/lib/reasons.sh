# Why nodes and pods are not ready, on the control plane, as the API server has it from the kubelets.
# shellcheck shell=bash
use lib/node

# What keeps nodes from taking pods, a line each: their conditions, such as DiskPressure, with the kubelet's own words.
node_troubles() {
    # shellcheck disable=SC2016
    kube get nodes -o 'go-template={{range .items}}{{$name := .metadata.name}}{{range .status.conditions}}{{if eq .type "Ready"}}{{if ne .status "True"}}node {{$name}} is not Ready: {{.message}}{{"\n"}}{{end}}{{else}}{{if eq .status "True"}}node {{$name}} has {{.type}}: {{.message}}{{"\n"}}{{end}}{{end}}{{end}}{{end}}' || true
}

# unready_containers NAMESPACE SELECTOR KIND: the containers of a kind (`init` or none) that are not ready, of the pods selected, as
# `POD NODE CONTAINER EXIT-CODE REASON MESSAGE`; what is not known is `-`.
unready_containers() {
    local statuses=containerStatuses
    [ -z "$3" ] || statuses=initContainerStatuses
    kube -n "$1" get pods -l "$2" -o "go-template={{range .items}}{{\$pod := .metadata.name}}{{\$node := \"-\"}}{{if .spec.nodeName}}{{\$node = .spec.nodeName}}{{end}}{{range .status.$statuses}}{{if not .ready}}{{\$code := \"-\"}}{{\$reason := \"-\"}}{{\$text := \"\"}}{{with .lastState.terminated}}{{\$code = .exitCode}}{{end}}{{with .state.terminated}}{{\$code = .exitCode}}{{\$reason = .reason}}{{end}}{{with .state.waiting}}{{\$reason = .reason}}{{if .message}}{{\$text = .message}}{{end}}{{end}}{{\$pod}} {{\$node}} {{.name}} {{\$code}} {{\$reason}} {{\$text}}{{\"\\n\"}}{{end}}{{end}}{{end}}" || true
}

# The last warning of the cluster's events about what is called $2 in the namespace $1.
last_warning() {
    kube -n "$1" get events --field-selector "type=Warning,involvedObject.name=$2" --sort-by .lastTimestamp \
        -o 'go-template={{range .items}}{{.reason}}: {{.message}}{{"\n"}}{{end}}' 2>/dev/null | tail -n 1 || true
}

# The last line that a container $3 of the pod $2 printed before it ended; nothing where the kubelet has its log no more.
last_line() {
    local which line
    for which in --previous=true --previous=false; do
        line=$(kube -n "$1" logs "$2" -c "$3" "$which" --tail 1 2>/dev/null || true)
        [[ -n $line && $line != "unable to retrieve container logs"* ]] || continue
        printf '%s' "${line:0:300}"
        return
    done
}

# pod_cause NAMESPACE POD NODE CONTAINER EXIT-CODE REASON MESSAGE: why a pod is not ready, with its node and a crash's last line.
pod_cause() {
    local where="$2 on $3" said
    if [ "$5" != - ] && [ "$5" != 0 ]; then
        said=$(last_line "$1" "$2" "$4")
        echo "$where: container $4 ended with exit code $5${said:+; its last line: $said}"
        return
    fi
    case $6 in
        - | ContainerCreating | PodInitializing) said=$(last_warning "$1" "$2") ;;
        *) said="$6${7:+: $7}" ;;
    esac
    echo "$where: ${said:-container $4 is not ready}"
}

# workload_causes NAMESPACE NAME SELECTOR: why a workload is not ready, a line each, the nodes' own troubles first. A pod has one line.
workload_causes() {
    local pod node container code reason text causes told=' '
    causes=$(
        node_troubles
        while read -r pod node container code reason text; do
            if [ -z "$pod" ] || [[ $told == *" $pod "* ]]; then continue; fi
            told+="$pod "
            pod_cause "$1" "$pod" "$node" "$container" "$code" "$reason" "$text" </dev/null
        done <<<"$(unready_containers "$1" "$3" init; unready_containers "$1" "$3" '')"
    )
    printf '%s\n' "${causes:-$(last_warning "$1" "$2")}"
}
