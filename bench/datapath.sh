#!/bin/bash
# What the comparison of networks runs on a lab node, which has measuring programs in /opt/bench. The word `host` stands for the
# node's own network where a pod's process is expected.
set -euo pipefail

fail() {
    printf '%s\n' "$*" >&2
    exit 2
}

# tool PROCESS PROGRAM ARG...: runs a measuring program in the network of a pod's process.
tool() {
    local process=$1 program=$2 loader inside=()
    shift 2
    loader=(/opt/bench/lib/ld-linux*)
    [ "$process" = host ] || inside=(nsenter -t "$process" -n)
    "${inside[@]}" "${loader[0]}" --library-path /opt/bench/lib "/opt/bench/bin/$program" "$@"
}

# Process and address of a probe on this node.
probe() {
    local pid
    pid=$(grep -lsz "^PODNET_PROBE=$1\$" /proc/[0-9]*/environ | head -n 1 | cut -d/ -f3)
    echo "$pid $(nsenter -t "$pid" -n ip -o -4 address show dev eth0 | awk '{ sub("/.*", "", $4); print $4; exit }')"
}

# serve PROCESS ADDRESS: starts what is asked by the others.
serve() {
    tool "$1" iperf3 -s -D -p 5999 -I /run/bench-iperf.pid >/dev/null
    tool "$1" sockperf sr --tcp -i "$2" -p 5998 >/dev/null 2>&1 &
    echo $! >/run/bench-sockperf.pid
    sleep 0.3
}

# Ends what `serve` started.
end() {
    local file
    for file in /run/bench-iperf.pid /run/bench-sockperf.pid; do
        kill -9 "$(tr -d '\0' <"$file")" 2>/dev/null || true
        rm -f "$file"
    done
}

# stream PROCESS ADDRESS SECONDS OPTION...: iperf3's report as JSON.
stream() {
    local process=$1 address=$2 seconds=$3
    shift 3
    tool "$process" iperf3 -c "$address" -p 5999 -t "$seconds" -J "$@"
}

# pingpong PROCESS ADDRESS SECONDS: sockperf's percentiles of full round trips.
pingpong() { tool "$1" sockperf pp --tcp -i "$2" -p 5998 -t "$3" --msg-size 64 --full-rtt 2>&1; }

# connections PROCESS URL: ab's report of new connections.
connections() { tool "$1" ab -q -n 3000 -c 4 "$2" 2>&1; }

# KiB that the network's own programs hold on this node.
memory() {
    local programs='flanneld|kube-router|cilium-agent|cilium-health-responder|/usr/local/lib/podnet/[0-9a-f]+/routes watch|ip -o monitor'
    # shellcheck disable=SC2009 # pgrep tells no memory.
    ps -eo rss=,args= | grep -E "$programs" | grep -v grep | awk '{ sum += $1 } END { print sum + 0 }'
}

case ${1-} in
    probe | serve | end | stream | pingpong | connections | memory) "$@" ;;
    *) fail "usage: datapath.sh probe | serve | end | stream | pingpong | connections | memory" ;;
esac
