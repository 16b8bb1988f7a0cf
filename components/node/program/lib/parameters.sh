# Parameters: `name: value` lines on standard input, ended by a line `end`. They are data: nothing of them is evaluated.
# shellcheck shell=bash

# What a value must look like, by name. A name that is not here exists in no phase.
ipv4='(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])){3}'
cidr="$ipv4/([0-9]|[12][0-9]|3[0-2])"
label='[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?'
sha256='[0-9a-f]{64}'
image='[a-z0-9][A-Za-z0-9._/:@-]*'
declare -gA formats=(
    [nonce]='[0-9a-f]{8,64}'
    [files]='[0-9a-f]{8,64}'
    [owner]='[0-9a-f-]{8,64}'
    [node]="$label"
    [cluster]="$label"
    [role]='(control-plane|worker)'
    [kubernetes]='v[0-9]+\.[0-9]+\.[0-9]+'
    [pause-image]="$image"
    [mirror]='(https?://[A-Za-z0-9]|file:///)[A-Za-z0-9._~:@%+/-]*'
    [sum]="[A-Za-z0-9._+/:-]+ $sha256"
    [image]="$image( $sha256)?"
    [internal-ip]="$ipv4"
    [pod-cidr]="$cidr"
    [node-pod-cidr]="$cidr"
    [service-cidr]="$cidr"
    [dns-domain]='[a-z0-9]([-a-z0-9.]*[a-z0-9])?'
    [kube-proxy-mode]='(auto|nftables|iptables)'
    [schedulable]='(yes|no)'
    [hold]='[0-9a-f]{16}'
    [release]='yes'
    [cert-san]='[A-Za-z0-9][A-Za-z0-9.:-]*'
    [kubelet-config]='\{.*\}'
    [ignore-preflight-error]='[A-Za-z0-9_.-]+'
    [endpoint]='[A-Za-z0-9][A-Za-z0-9.:-]*:[0-9]+'
    [token]='[a-z0-9]{6}\.[a-z0-9]{16}'
    [ca-cert-hash]="sha256:$sha256"
    [member]="$label $cidr"
    [address]="$label $ipv4"
    [network]='[a-z][a-z0-9-]*'
    [kind]='[a-z][a-z0-9-]*'
    [mtu]='[1-9][0-9]{2,3}'
    [overhead]='[0-9]{1,3}'
    [egress]='(podnet|agent)'
    [replaces-kube-proxy]='(yes|no)'
    [generation]='[0-9]{1,20}'
    [route]="$cidr via $ipv4( and [1-9][0-9]* more)?"
    [rollout]='(daemonset|deployment) [a-z0-9-]+/[a-z0-9-]+'
    [feature]='[a-z0-9.-]+'
    [program]='[a-z][a-z0-9-]*'
    [request]='[A-Za-z0-9]+ [a-z][a-z0-9-]* [a-z]+ [!#-Z^-~]+( [0-9]+)?'
    [flow]="[a-z][0-9]{1,4} $ipv4 $ipv4"
    [end]="[a-z][0-9]{1,4} [a-z][a-z0-9-]* $ipv4 $ipv4"
    [cluster-ip]="$ipv4"
    [service-endpoint]="$ipv4"
    [seconds]='[1-9][0-9]?'
    [read-up-to]='[0-9]{1,12}'
    [pid]='[a-z][a-z0-9-]* [0-9]+'
)

declare -gA given=()
parameter_problems=()
required=(nonce)
optional=()
lists=()

# Names that a phase must be given, may be given once, and may be given any number of times.
takes() { required+=("$@"); }
may_take() { optional+=("$@"); }
takes_list() { lists+=("$@"); }

# Reads all lines into `given`; a list's values are joined by line breaks.
read_parameters() {
    local line name text='' ended=
    while IFS= read -r line || [ -n "$line" ]; do
        [ -z "$ended" ] || { parameter_problems+=("there is a line after the end"); break; }
        if [ "$line" = end ]; then ended=yes; continue; fi
        if [[ ! $line =~ ^([a-z][a-z0-9-]*):\ (.*)$ ]]; then
            parameter_problems+=("a line is not \`name: value\`")
            continue
        fi
        name=${BASH_REMATCH[1]} text=${BASH_REMATCH[2]}
        if [ -z "${formats[$name]-}" ]; then
            [ "$ACTION" = undo ] || parameter_problems+=("$name: there is no such parameter")
        elif [[ ! $text =~ ^${formats[$name]}$ ]]; then
            parameter_problems+=("$name: is not well formed")
        fi
        given[$name]+="${given[$name]+$'\n'}$text"
    done
    [ -n "$ended" ] || parameter_problems+=("the last line is not \`end\`: some are missing")
}

# Refuses what the phase does not take and what it lacks, all at once. An undo may be an older version's, with the parameters that
# were right for it: what it undoes is on the record, so it needs to say no more than whose work it is.
check_parameters() {
    local name
    [ "$ACTION" != undo ] || required=(nonce owner node)
    for name in "${required[@]}"; do
        [ -n "${given[$name]-}" ] || parameter_problems+=("$name: is missing")
    done
    for name in "${!given[@]}"; do
        if one_of "$name" "${required[@]}" "${optional[@]}"; then
            [[ ${given[$name]} != *$'\n'* ]] || parameter_problems+=("$name: is given more than once")
        elif [ "$ACTION" != undo ] && ! one_of "$name" "${lists[@]}" && [ -n "${formats[$name]-}" ]; then
            parameter_problems+=("$name: this phase does not take it")
        fi
    done
    [ "${#parameter_problems[@]}" = 0 ] ||
        fail "these parameters are wrong: $(printf '%s\n' "${parameter_problems[@]}" | sort -u | paste -sd ';' | sed 's/;/; /g')"
}

one_of() {
    local wanted=$1 other
    shift
    for other in "$@"; do [ "$wanted" != "$other" ] || return 0; done
    return 1
}

# A single parameter's value; nothing when it was not given.
value() { printf '%s' "${given[$1]-}"; }

# A list parameter's values, one a line; no line when there are none.
each() { [ -z "${given[$1]-}" ] || printf '%s\n' "${given[$1]}"; }

# Names of all parameters that were given, in their order.
names_given() { printf '%s\n' "${!given[@]}" | sort; }

# A text as a JSON string with its quotes.
json_string() {
    local text=${1//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//$'\n'/\\n}
    text=${text//$'\t'/\\t}
    printf '"%s"' "${text//[$'\001'-$'\037']/ }"
}

# The lines of standard input as a JSON list of strings.
json_list() {
    local line comma=
    printf '['
    while IFS= read -r line; do
        printf '%s' "$comma"
        json_string "$line"
        comma=,
    done
    printf ']'
}
