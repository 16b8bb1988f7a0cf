# Finds the connectivity check's probes among the node's processes. Answers with the node's own addresses, the seconds since it
# started and the programs that it lacks for the check as one JSON line, then one line for each probe. The node's own view, so
# that nothing depends on the network under test.
# shellcheck shell=bash
use lib/drops

only_reads
lasts 30

declare_discover() { :; }

addresses_of() { awk '{ sub("/.*", "", $4); printf "%s\"%s\"", sep, $4; sep = "," }'; }

# Seconds since the node started, which need not be those of its kernel.
seconds_up() { ps -o etimes= -p 1 | tr -d ' '; }

# The oldest curl that says of each of many requests how it ended (its changelog, `--write-out`).
CURL=7.75.0

# The version of curl where it is an older one.
old_curl() {
    local version
    version=$(curl -q --version 2>/dev/null | awk 'NR == 1 { print $2 }' || true)
    [ -z "$version" ] || printf '%s\n' "$CURL" "$version" | sort -CV || echo "$version"
}

# Programs that the check asks with and that are not on this node.
lacking() {
    local program version separator=''
    for program in curl getent mount nsenter ping timeout unshare; do
        command -v "$program" >/dev/null || { printf '%s"%s"' "$separator" "$program" && separator=,; }
    done
    version=$(old_curl)
    [ -z "$version" ] || printf '%s%s' "$separator" "$(json_string "curl $CURL or newer (it has $version)")"
}

do_discover() {
    local file pid probe ip name pair
    remove_stale_tables
    answer "{\"addresses\":[$(ip -o -4 address show | addresses_of)],\"up\":$(seconds_up),\"lacks\":[$(lacking)]}"
    for file in $(grep -lsz '^PODNET_PROBE=' /proc/[0-9]*/environ 2>/dev/null || true); do
        pid=${file#/proc/}
        pid=${pid%/environ}
        probe='' ip='' name=''
        while IFS= read -r -d '' pair; do
            case $pair in
                PODNET_PROBE=*) probe=${pair#*=} ;;
                POD_IP=*) ip=${pair#*=} ;;
                POD_NAME=*) name=${pair#*=} ;;
            esac
        done <"$file" 2>/dev/null || continue
        [ -n "$probe" ] || continue
        answer "{\"probe\":$(json_string "$probe"),\"pid\":$pid,\"downwardIp\":$(json_string "$ip"),\"interfaceIps\":[$(nsenter -t "$pid" -n ip -o -4 address show dev eth0 2>/dev/null | addresses_of)],\"podName\":$(json_string "$name")}"
    done
}
