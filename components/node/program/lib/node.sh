# What more than one phase has to know of a node: sockets, files, tools.
# shellcheck shell=bash

export CRI_SOCKET=unix:///run/containerd/containerd.sock
export ADMIN_CONF=/etc/kubernetes/admin.conf
export KUBELET_CONF=/etc/kubernetes/kubelet.conf

# kubectl keeps what it discovers in the user's home; podnet's calls keep it where it ends with the boot.
export KUBECACHEDIR=$RUN/kube-cache

# The bootstrap token that this cluster's nodes join with: minted once, on the control plane.
export JOIN_TOKEN=$STATE/join-token

# Label of the workers that podnet joined.
export MANAGED=podnet.dev/managed

# crictl and kubectl with nothing but podnet's own settings: the machine's owner may have some of his own.
cri() { crictl -c "$ROOT/files/crictl.yaml" "$@"; }
export KUBERC=off

# kubectl as the cluster's administrator, on the control plane.
kube() { kubectl --kubeconfig "$ADMIN_CONF" --request-timeout 30s "$@"; }

# Whether the API server answers here; prints the reason why not.
api_ready() {
    local text
    text=$(kubectl --kubeconfig "$ADMIN_CONF" --request-timeout 5s get --raw /readyz 2>&1 >/dev/null) || none "${text##*$'\n'}"
}

# Whether the workload $2 of the namespace $1 runs as declared; prints what is missing.
workload_ready() {
    local status
    status=$(kube -n "$1" rollout status "$2" --watch=false 2>&1 | tail -n 1)
    [[ $status == *"successfully rolled out"* ]] || none "$status"
}

# The link that carries an address of this node; fails when none does.
link_of() {
    local link
    link=$(ip -o -4 address show to "$1/32" | awk '{ print $2; exit }')
    [ -n "$link" ] ||
        fail "no link has the internal IP $1; it has $(ip -o -4 address show | awk '$2 != "lo" { printf "%s%s", sep, $4; sep = ", " }'). Correct the node's internalIp"
    printf '%s' "$link"
}

# The last error that the kubelet has logged since a moment, in seconds of the clock.
kubelet_error() {
    journalctl -u kubelet --since "@$1" --no-pager -o cat -n 40 2>/dev/null | grep -iE '^[EF][0-9]{4}|error' | tail -n 1 | cut -c 1-500 || true
}

# What the node itself knows of a kubelet or control plane that does not come up, a line each: the kubelet's last error since a
# moment, and the last line of each container that ended.
node_causes() {
    local error id name told=' '
    error=$(kubelet_error "$1")
    [ -z "$error" ] || echo "node $(value node): the kubelet's last error: $error"
    for id in $(cri ps -a -q --state exited 2>/dev/null); do
        name=$(cri inspect -o go-template --template '{{.status.metadata.name}}' "$id" 2>/dev/null || true)
        # The newest of a name comes first.
        [[ $told != *" $name "* ]] || continue
        told+="$name "
        echo "node $(value node): the container ${name:-$id} ended; its last line: $(cri logs --tail 1 "$id" 2>&1 | tail -n 1 | cut -c 1-300 || true)"
    done
}

# kubeadm_run ARG...: runs kubeadm; on failure shows what the node knows of the cause where a node was to come up, and kubeadm's
# errors, and names the file with all it said.
kubeadm_run() {
    local log=$STATE/log/kubeadm-$1.log began
    mkdir -p "${log%/*}"
    began=$(date +%s)
    kubeadm "$@" >"$log" 2>&1 && return 0
    case "$1 $2" in 'init --config' | 'join --config') node_causes "$began" >&2 ;; esac
    grep -E '^(error|\[ERROR|W[0-9]{4}|E[0-9]{4}|\s*\[ERROR)|rror:|failed|timed out' "$log" | tail -n 12 >&2 || tail -n 12 "$log" >&2
    say "all that kubeadm said is in $log on $(hostname)"
    return 1
}

# Takes off this machine what kubeadm put there. What is mounted below the kubelet's folder is pods'.
kubeadm_reset() {
    [ ! -x /usr/local/bin/kubeadm ] ||
        timeout 120 kubeadm reset --force --cri-socket "$CRI_SOCKET" >/dev/null 2>&1 || true
}

# remove_chains NAMES [RULES]: removes, in every table of both families, the chains whose names begin with a pattern, the rules that
# lead there, and those whose text has the pattern RULES.
remove_chains() {
    remove_chains_of iptables-save "$@"
    remove_chains_of ip6tables-save "$@"
}

# The same in one family, by the name of the program that saves its rules. Nothing else is loaded anew: iptables shows rules that
# somebody made by nft, and does not understand all of them. Where it cannot list any, none are podnet's.
remove_chains_of() {
    local changes
    command -v "$1" >/dev/null || return 0
    changes=$({ "$1" 2>/dev/null || true; } | awk -v names="^(${2:-})" -v rules="${3:-^$}" '
        /^\*/ { table = $0 }
        /^:/ && substr($1, 2) ~ names { empty = empty "-F " substr($1, 2) "\n"; gone = gone "-X " substr($1, 2) "\n" }
        /^-A / && $2 !~ names {
            target = $0
            sub(/^.* -[jg] /, "", target)
            if (target ~ names || $0 ~ rules) { sub(/^-A/, "-D"); lead = lead $0 "\n" }
        }
        /^COMMIT/ {
            if (lead empty != "") printf "%s\n%s%s%sCOMMIT\n", table, lead, empty, gone
            lead = empty = gone = ""
        }')
    [ -z "$changes" ] || "${1/save/restore}" --noflush <<<"$changes"
}

# What was there of others when the machine was taken.
export BEFORE=$STATE/before

was_there() { grep -qsxF "left $1" "$BEFORE"; }

# Removes what was not there when the machine was taken.
remove_new() {
    local path
    for path in "$@"; do was_there "$path" || rm -rf "$path"; done
}

# bare COMMAND...: whether the table or chain that nft lists so has nothing in it but iptables' built-in chains as they come.
bare() {
    local text
    text=$("$@" 2>/dev/null) || return 1
    ! grep -qvE '^(table .*|\s*chain [A-Z]+ \{|\s*type .* policy accept;|\s*}|#.*|\s*)$' <<<"$text"
}

# kube-proxy leaves its rules to the next one; this takes them off when there is none.
remove_kube_proxy_rules() {
    nft delete table ip kube-proxy 2>/dev/null || true
    nft delete table ip6 kube-proxy 2>/dev/null || true
    remove_chains 'KUBE-(SERVICES|SVC-|SEP-|SVL-|EXT-|FW-|NODEPORTS|PROXY|MARK-MASQ|MARK-DROP|POSTROUTING|FORWARD|EXTERNAL)'
}
