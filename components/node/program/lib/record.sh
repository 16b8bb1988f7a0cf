# The record: what podnet made on this node and what it changed, so that an undo takes exactly that away. One file a phase,
# lines of tab-separated words, written before the thing itself, so that half a phase can be undone too:
#   file SHA256 PATH      a file that was not there before
#   new PATH              a file that is not finished and has its own name after
#   dir PATH              a folder that was not there before
#   sysctl KEY BEFORE NOW a kernel setting
#   unit NAME             a unit that was enabled
#   swap DEVICE PRIORITY  swap that was turned off
# shellcheck shell=bash

# Writes a file whole or not at all, out of standard input. For podnet's own state; other files go through make_file.
put_file() {
    local path=$1 mode=${2:-0644}
    mkdir -p "${path%/*}"
    (umask 077 && cat >"$path.podnet-new")
    chmod "$mode" "$path.podnet-new"
    mv -f "$path.podnet-new" "$path"
}

note() {
    local IFS=$'\t'
    mkdir -p "$STATE/record"
    grep -qxF -- "$*" "$STATE/record/$PHASE" 2>/dev/null || printf '%s\n' "$*" >>"$STATE/record/$PHASE"
}

# openssl has the processor do it, which coreutils need not: binaries are summed three times as fast.
sum_of() {
    local sum
    sum=$(openssl dgst -sha256 -r <"$1" 2>/dev/null) || sum=$(sha256sum <"$1")
    printf '%s\n' "${sum%% *}"
}

# Whether a path is on the record of any phase, with any content.
recorded() { record_lines | awk -F'\t' -v path="$1" '$1 == "file" && $3 == path { found = 1 } END { exit !found }'; }

# Everything on record, of all phases.
record_lines() { cat /dev/null "$STATE"/record/[a-z]* 2>/dev/null || true; }

# Makes a folder and its parents, noting each that was not there.
make_dir() {
    local path=$1
    [ ! -d "$path" ] || return 0
    make_dir "${path%/*}"
    note dir "$path"
    mkdir -p "$path"
}

# make_file PATH [MODE] <CONTENT: makes a file of podnet's, or makes it anew. A file of the same content that is there
# already stays whose it is. Somebody else's file is refused.
make_file() {
    local path=$1 mode=${2:-0644} temporary sum
    make_dir "${path%/*}"
    temporary=$path.podnet-new
    note new "$temporary"
    (umask 077 && cat >"$temporary")
    sum=$(sum_of "$temporary")
    adopt_file "$temporary" "$path" "$mode" "$sum"
}

# adopt_file TEMPORARY PATH MODE SHA256: moves a finished file of podnet's to its place by the same rules.
adopt_file() {
    local temporary=$1 path=$2 mode=$3 sum=$4
    if [ -e "$path" ] && ! recorded "$path"; then
        if [ "$(sum_of "$path")" = "$sum" ]; then
            rm -f "$temporary"
            return 0
        fi
        rm -f "$temporary"
        fail "$path was there before podnet and holds something else; move it away, or run podnet on another machine"
    fi
    note file "$sum" "$path"
    chmod "$mode" "$temporary"
    mv -f "$temporary" "$path"
    forget_file "$path" "$sum" "$temporary"
}

# Keeps only the newest content of a file on the record.
forget_file() {
    local path=$1 sum=$2 temporary=$3 record new=$STATE/record/.new
    for record in "$STATE"/record/[a-z]*; do
        awk -F'\t' -v path="$path" -v sum="$sum" -v temporary="$temporary" \
            '!($1 == "file" && $3 == path && $2 != sum) && !($1 == "new" && $2 == temporary)' "$record" >"$new"
        if cmp -s "$record" "$new"; then rm -f "$new"; else mv -f "$new" "$record"; fi
    done
}

# Removes a file of podnet's before the rest of its phase is undone, if it is still as made.
unmake_file() {
    local path=$1
    if [ -e "$path" ] && grep -qxF "file"$'\t'"$(sum_of "$path")"$'\t'"$path" <<<"$(record_lines)"; then rm -f "$path"; fi
}

# set_sysctl KEY VALUE: sets a kernel setting now and notes what it was. A setting that this kernel lacks fails.
set_sysctl() {
    local key=$1 wanted=$2 before
    before=$(sysctl -n "$key" 2>/dev/null) || fail "the kernel has no setting $key; is its module there?"
    [ "$before" != "$wanted" ] || return 0
    if ! sysctl_noted "$key"; then
        [ "$key=$before" != net.ipv4.ip_forward=0 ] || note_forwarding
        note sysctl "$key" "$before" "$wanted"
    fi
    sysctl -qw "$key=$wanted"
}

sysctl_noted() { grep -qsF "sysctl"$'\t'"$1"$'\t' "$STATE/record/$PHASE"; }

# Notes the settings that the kernel itself rewrites when forwarding is turned off again, each as it is before it is turned on. An
# undo goes backwards: it comes to these after that.
note_forwarding() {
    local folder link
    expect_sysctl net.ipv4.conf.all.accept_redirects 1
    for folder in /proc/sys/net/ipv4/conf/*; do
        link=${folder##*/}
        # A dot in a link's name is a slash in a key.
        [ "$link" = all ] || expect_sysctl "net.ipv4.conf.${link//./\/}.forwarding" 0
    done
}

# expect_sysctl KEY VALUE: notes what a kernel setting was that a program which podnet starts will set to this value.
expect_sysctl() {
    local before
    before=$(sysctl -n "$1" 2>/dev/null) || return 0
    [ "$before" = "$2" ] || sysctl_noted "$1" || note sysctl "$1" "$before" "$2"
}

# Notes, before br_netfilter is loaded, what it turns on as it comes: it stays after the machine is given back, and with its settings
# on, packets on bridges of the owner's would go through his rules.
expect_br_netfilter() {
    local name
    [ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || return 0
    for name in iptables ip6tables arptables; do note sysctl "net.bridge.bridge-nf-call-$name" 0 1; done
}

# Sets every setting of a sysctl.d file, from standard input. A leading minus lets one that the kernel refuses pass.
apply_sysctls() {
    local key wanted
    while IFS=' =' read -r key wanted; do
        case $key in
            '' | '#'*) ;;
            -*)
                key=${key#-}
                [ ! -w "/proc/sys/${key//./\/}" ] || set_sysctl "$key" "$wanted" 2>/dev/null || true
                ;;
            *) set_sysctl "$key" "$wanted" ;;
        esac
    done
}

# Enables a unit of podnet's and notes it.
enable_unit() {
    note unit "$1"
    systemctl enable -q "$1"
}

# Turns swap on again. The kernel gives a negative priority itself, and takes none.
swap_on() {
    case ${2:--1} in
        -*) swapon "$1" 2>/dev/null ;;
        *) swapon -p "$2" "$1" 2>/dev/null ;;
    esac
}

# Undoes what a phase has on record, newest first: files that are still as made, settings that are still as set, folders that
# are empty. What somebody changed since stays, and is named.
undo_record() {
    local of=$1 what one two three lines
    [ -e "$STATE/record/$of" ] || return 0
    lines=$(tac "$STATE/record/$of")
    while IFS=$'\t' read -r what one two three; do
        case $what in
            unit)
                systemctl disable -q --now "$one" 2>/dev/null || true
                systemctl reset-failed "$one" 2>/dev/null || true
                ;;
            file)
                [ -e "$two" ] || continue
                if [ "$(sum_of "$two")" = "$one" ]; then
                    rm -f "$two"
                elif ! grep -qF "file"$'\t'"$(sum_of "$two")"$'\t'"$two" "$STATE/record/$of"; then
                    say "$two was changed since podnet made it; left as it is"
                fi
                ;;
            sysctl)
                if [ "$(sysctl -n "$one" 2>/dev/null)" = "$three" ]; then sysctl -qw "$one=$two" 2>/dev/null || true; fi
                ;;
            swap) swap_on "$one" "$two" || say "swap $one could not be turned on again" ;;
            new) rm -f "$one" ;;
            dir) rmdir "$one" 2>/dev/null || true ;;
        esac
    done <<<"$lines"
    rm -f "$STATE/record/$of"
    systemctl daemon-reload 2>/dev/null || true
}
