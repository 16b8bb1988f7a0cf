# Makes the connectivity check's requests from this node, all at once but for a bound, each with its deadline, and answers with
# `ID:LINE` for each line of what came of them. A request is `ID PROBE KIND ...`:
#   ID PROBE fetch URL             what curl gets, and how it ended, under w-PROBE
#   ID PROBE reach ADDRESS,... PORT  by which address each of many pods sees PROBE. `most COUNT CODE TEXT` is what came of most of them, and
#                                  `ADDRESS CODE TEXT` what came of each other one: curl's code, and what it got or its message
#   ID PROBE packet ADDRESS SIZE   whether an IP packet of SIZE bytes that may not be fragmented is answered
#   ID PROBE fragments ADDRESS:PORT SIZE  whether a UDP packet of SIZE bytes, which goes in fragments, is answered
#   ID PROBE loss ADDRESS COUNT    how many of COUNT packets are answered
#   ID PROBE resolve NAME          the addresses of a name, asked as the pod would
#   ID PROBE resolve NAME@SERVER   the same, asked of one server
# PROBE is a probe's name, whose process is among the `pid` parameters, or probe-host for the node itself.
# shellcheck shell=bash

only_reads
lasts 60

# Seconds that one request may take.
deadline=1.5

declare_probe() {
    takes_list request pid
}

# Runs a command in the network of a probe.
inside() {
    local probe=$1 pid
    shift
    if [ "$probe" = probe-host ]; then
        "$@"
        return
    fi
    pid=$(pid_of "$probe")
    nsenter -t "$pid" -n "$@"
}

pid_of() { each pid | awk -v probe="$1" '$1 == probe { print $2; exit }'; }

# Requests of one kind that a probe makes, without its name and the kind.
of_kind() { each request | awk -v probe="$1" -v kind="$2" '$2 == probe && $3 == kind { print $1, $4, $5 }'; }

fetch_all() {
    local probe=$1 id url config=''
    while read -r id url _; do
        [ -z "$id" ] || config+="url = \"$url\""$'\n'"output = \"$id\""$'\n'
    done <<<"$(of_kind "$probe" fetch)"
    [ -n "$config" ] || return 0
    inside "$probe" curl -q -sS -Z --parallel-immediate --parallel-max 32 --connect-timeout "$deadline" --max-time "$deadline" \
        -H 'Connection: close' -w '%{filename_effective} code %{exitcode} %{time_connect} %{errormsg}\n' --config - \
        >"w-$probe" 2>/dev/null <<<"$config" || true
}

# How each transfer ended is on a line of its own, and what it got in a file by its address: of a thousand only what differs is told.
# Messages go without the address and the time, or none would be like another; a timeout has several words.
reach_many() {
    local probe=$1 id=$2 addresses=$3 port=$4 folder=reach-$2
    mkdir "$folder"
    tr ',' '\n' <<<"$addresses" >"$folder/asked"
    awk -v port="$port" -v folder="$folder" '{ print "url = \"http://" $1 ":" port "/clientip\"\noutput = \"" folder "/" $1 "\"" }' "$folder/asked" |
        inside "$probe" curl -q -sS -Z --parallel-immediate --parallel-max 32 --connect-timeout "$deadline" --max-time "$deadline" \
            -H 'Connection: close' -w '%{filename_effective} %{exitcode} %{errormsg}\n' --config - >"$folder/ended" 2>/dev/null || true
    awk -v folder="$folder" '
        FILENAME ~ /ended$/ { address = $1; sub(/.*\//, "", address); code[address] = $2; sub(/^[^ ]+ [^ ]+ ?/, ""); sub(/ to [0-9.]+ port [0-9]+/, ""); sub(/ after [0-9]+ m(s|illiseconds)/, ""); text[address] = code[address] == 28 ? "" : $0; next }
        {
            if (!($1 in code)) outcome = "-"
            else if (code[$1] == 0) { file = folder "/" $1; got = ""; getline got <file; close(file); outcome = "0 " got }
            else outcome = code[$1] " " text[$1]
            # Each transfer has a port of its own.
            key = outcome; if (key ~ /^0 /) sub(/:[0-9]+$/, "", key)
            if (!(key in first)) first[key] = outcome
            count[key]++
            asked[++n] = $1; kind[n] = key; told[n] = outcome
        }
        END {
            for (key in count) if (count[key] > best && key != "-") { best = count[key]; most = key }
            if (best) print "most", best, first[most]
            for (i = 1; i <= n; i++) if (kind[i] != most) print asked[i], told[i]
        }' "$folder/ended" "$folder/asked" >"$id"
    rm -r "$folder"
}

send_packet() {
    local probe=$1 id=$2 address=$3 size=$4 code=0
    # 28 bytes are the IPv4 and ICMP headers.
    inside "$probe" ping -n -q -M "do" -c 1 -W 1 -s $((size - 28)) "$address" >"$id" 2>&1 || code=1
    echo "code $code" >>"$id"
}

# Asks agnhost to echo a text that is longer than a packet. All of it is written at once, or it would be many datagrams. That UDP is
# asked and not ICMP has a reason: Cilium takes ICMP for no protocol that may come in fragments.
send_fragments() {
    local probe=$1 id=$2 address=${3%:*} port=${3#*:} size=$4 code=0
    # 28 bytes are the IPv4 and UDP headers.
    # shellcheck disable=SC2016
    inside "$probe" bash --norc -c 'exec 3<>"/dev/udp/$1/$2" && { printf "echo "; head -c "$3" /dev/zero | tr "\\0" a; } | dd bs=65536 iflag=fullblock status=none >&3 && read -r -n 1 -t 1.5 <&3' \
        bash "$address" "$port" $((size - 28 - 5)) >"$id" 2>&1 || code=1
    echo "code $code" >>"$id"
}

# Sends the next packet as soon as an answer came, or after 10 ms.
send_many() {
    local probe=$1 id=$2 address=$3 count=$4 code=0
    # Told to stop by -w, ping would take what is on its way for lost.
    inside "$probe" timeout -s INT "$loss_seconds" ping -n -q -f -c "$count" "$address" 2>&1 | grep -E 'packets transmitted|^rtt' >"$id" || code=1
    echo "code $code" >>"$id"
}

# Seconds that the packets of one request for loss may take together.
loss_seconds=6

resolve_name() {
    local probe=$1 id=$2 name=${3%@*} server='' conf=resolv-$1 code=0
    [[ $3 != *@* ]] || server=${3#*@}
    if [ -n "$server" ]; then
        conf=resolv-$id
        { echo "nameserver $server"; grep -v '^nameserver' "resolv-$probe"; } >"$conf"
    fi
    # The node's own cache of names would ask the node's resolvers.
    # shellcheck disable=SC2016
    inside "$probe" timeout 4 env RES_OPTIONS='timeout:1 attempts:2' unshare -m sh -c \
        'mount --bind "$1" /etc/resolv.conf && { [ ! -e /etc/nsswitch.conf ] || mount --bind "$3" /etc/nsswitch.conf; } && { [ ! -d /run/nscd ] || mount -t tmpfs none /run/nscd; } && getent ahostsv4 "$2."' \
        sh "$PWD/$conf" "$name" "$PWD/resolv-nsswitch" >"$id" 2>&1 || code=1
    echo "code $code" >>"$id"
}

ask_for() {
    local probe=$1 id one two
    fetch_all "$probe" &
    while read -r id one two; do
        [ -z "$id" ] || reach_many "$probe" "$id" "$one" "$two" &
    done <<<"$(of_kind "$probe" reach)"
    # What the kernel remembers of the path's MTU from an earlier fault is not this run's evidence.
    [ -z "$(of_kind "$probe" packet)" ] || inside "$probe" ip route flush cache
    while read -r id one two; do
        [ -z "$id" ] || send_packet "$probe" "$id" "$one" "$two" &
    done <<<"$(of_kind "$probe" packet)"
    while read -r id one two; do
        [ -z "$id" ] || send_fragments "$probe" "$id" "$one" "$two" &
    done <<<"$(of_kind "$probe" fragments)"
    while read -r id one two; do
        [ -z "$id" ] || send_many "$probe" "$id" "$one" "$two" &
    done <<<"$(of_kind "$probe" loss)"
    # A copy, because mount follows /proc/PID/root to the node's own root.
    [ -z "$(of_kind "$probe" resolve)" ] || cp "/proc/$(pid_of "$probe")/root/etc/resolv.conf" "resolv-$probe"
    while read -r id one _; do
        [ -z "$id" ] || resolve_name "$probe" "$id" "$one" &
    done <<<"$(of_kind "$probe" resolve)"
    wait
}

do_probe() {
    local folder probe
    folder=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$folder'" EXIT
    cd "$folder" || exit
    # Where a node looks names up is its owner's choice, and says nothing of what a pod gets.
    echo 'hosts: dns' >resolv-nsswitch
    for probe in $(each request | awk '!seen[$2]++ { print $2 }'); do ask_for "$probe" & done
    wait
    rm -f resolv-*
    grep -H '' -- * >&3 2>/dev/null || true
}
