# How a phase runs: parameters in, a lock, a bound in time, an answer out. Every other file of the program builds on this.
# shellcheck shell=bash

# Folder of the program's own state on this node: owner, record, what each phase applied.
export STATE=/var/lib/podnet
# Folder of what lives only until the next boot.
export RUN=/run/podnet

# Seconds that a phase may take, its wait for the lock included.
phase_seconds=600
lasts() { phase_seconds=$1; }
# A phase that only reads takes no lock, needs no owner and leaves no work.
phase_reads=
only_reads() { phase_reads=yes; }

say() { printf '%s\n' "$*" >&2; }

# Ends the phase with an error that names the node and the phase. The code tells the shell around a `$(...)` that the error is said.
SAID=111
fail() {
    say "podnet $PHASE on $(hostname): $*"
    if [ "$BASH_SUBSHELL" -gt 0 ]; then exit "$SAID"; fi
    exit 1
}

# What a command that failed ends the phase with.
on_error() {
    local code=$1
    if [ "$code" != "$SAID" ]; then
        say "exit code $code on $(hostname), at: ${2:0:200}"
    elif [ "$BASH_SUBSHELL" = 0 ]; then
        exit 1
    fi
    exit "$code"
}

# Loads parts of the program by name. The plan computes a phase's hash from these lines: keep one `use` a line, plain names.
declare -gA used=()
use() {
    local part
    for part in "$@"; do
        [ -z "${used[$part]-}" ] || continue
        used[$part]=yes
        # shellcheck source=/dev/null
        . "$ROOT/$part.sh"
    done
}

load_phase() {
    use lib/parameters
    use lib/wait
    use lib/record
    use "phases/$1"
}

# One line of the phase's answer, which goes to whoever started it.
answer() { printf '%s\n' "$*" >&3; }

# The outer half: reads the parameters, bounds the inner half in time, and frames what it answers.
run_outer() {
    local text nonce code=0 body line
    text=$(cat)
    nonce=$(sed -n '1s/^nonce: \([0-9a-f]\{8,64\}\)$/\1/p' <<<"$text")
    [ -n "$nonce" ] || { say "podnet $PHASE: the first line of the parameters must be their nonce"; exit 2; }
    body=$(timeout -k 10 "$phase_seconds" /bin/bash --norc -p "$ROOT/podnet" "$PHASE" --inner "$ACTION" 3>&1 1>&2 <<<"$text") || code=$?
    if [ "$code" = 124 ] || [ "$code" = 137 ]; then
        say "podnet $PHASE on $(hostname) did not end within $phase_seconds s and was stopped"
    fi
    # Whoever asked may be gone by now.
    trap '' PIPE
    frame "$nonce" "$code" 2>/dev/null <<<"$body" || unanswered "$nonce" "$code"
    exit "$code"
}

# Prints the answer, from standard input, in frames. Fails when nobody reads it.
frame() {
    local nonce=$1 code=$2 line
    # What a login shell printed before, such as a terminal's title, need not have ended its line.
    printf '\n' || return
    while IFS= read -r line; do
        case $line in
            '') ;;
            'run '[0-9]*) printf 'podnet %s %s\n' "$nonce" "$line" || return ;;
            *) printf 'podnet %s | %s\n' "$nonce" "$line" || return ;;
        esac
    done
    printf 'podnet %s %s\n' "$nonce" "$code"
}

# Takes back the count of work that nobody was told of: a Pulumi that was killed has no record of it, and asks for it once more.
unanswered() {
    local stands count former released
    if [ "$ACTION" != "do" ] || [ -n "$phase_reads" ] || [ "$2" != 0 ]; then return 0; fi
    exec 9>"$RUN/lock"
    flock -w 60 9 || return 0
    read_work
    if [ "$stands" = "$1" ] && [ "$count" -gt 0 ]; then note_work "$stands" $((count - 1)); fi
}

# The inner half: checks the parameters and runs the phase, alone on this node.
run_inner() {
    set -E
    trap 'on_error "$?" "$BASH_COMMAND"' ERR
    read_parameters
    "declare_$PHASE" "$ACTION"
    check_parameters
    if [ -z "$phase_reads" ]; then
        mkdir -p "$RUN"
        exec 9>"$RUN/lock"
        # A second less than the phase may take, so that the reason can be given.
        flock -w $((phase_seconds - 1)) 9 || fail "another run of podnet holds this node for more than $((phase_seconds - 1)) s"
        owned
        [ ! -e "$STATE/owner" ] || note_upload
        [ "$ACTION" = undo ] || make_current
    fi
    case $ACTION in
        undo) undo_phase ;;
        *) do_phase ;;
    esac
}

# Makes this the node's program, which its units run.
make_current() {
    local base=${ROOT%/*} hash=${ROOT##*/}
    [ "$(readlink "$base/current" 2>/dev/null)" != "$hash" ] || return 0
    ln -sfn "$hash" "$base/.current.$$"
    mv -fT "$base/.current.$$" "$base/current"
}

# Folders that the program was uploaded to, one a line: another SSH user has another home.
export UPLOADS=$STATE/uploads

# Notes the folder that this run was uploaded to. A machine that bears no mark is left without.
note_upload() {
    if [ -z "${PODNET_UPLOAD-}" ] || grep -qsxF -- "$PODNET_UPLOAD" "$UPLOADS"; then return 0; fi
    printf '%s\n' "$PODNET_UPLOAD" >>"$UPLOADS"
}

# Reads which work stands on the node into `stands`, and into `count` how often it was applied without being undone. `former` is the
# work, with its count, whose place it took by an update; `released` says that nothing holds the machine any more.
read_work() {
    local name rest
    stands='' count=0 former='' released=''
    [ -e "$STATE/work/$PHASE" ] || return 0
    {
        read -r stands count
        while read -r name rest; do
            case $name in
                former) former=$rest ;;
                released) released=yes ;;
            esac
        done
    } <"$STATE/work/$PHASE"
}

# note_work NONCE COUNT: notes which work stands, beside `former` and `released`.
note_work() {
    {
        printf '%s %s\n' "$1" "$2"
        [ -z "$former" ] || printf 'former %s\n' "$former"
        [ -z "$released" ] || printf 'released\n'
    } | put_file "$STATE/work/$PHASE"
}

# release_work PHASE: notes that nothing holds what stands of a phase, so that one undo takes it off, whichever work it names.
release_work() {
    local PHASE=$1 stands count former released
    read_work
    former='' released=yes
    note_work "$stands" 1
}

# Applies the phase and notes which work stands on the node. `do` counts how often the same work was applied, since a replace
# makes the new work first and takes the old one away after; `update` applies what stands already once more. An update that was
# killed is not on Pulumi's record: the work that it took the place of may still be undone by its name, so it counts on.
do_phase() {
    local work stands count former released runs=0
    work=$(value nonce)
    "do_$PHASE"
    [ -z "$phase_reads" ] || return 0
    read_work
    released=''
    if [ "$stands" = "$work" ]; then
        [ "$ACTION" = update ] || count=$((count + 1))
    elif [ "$ACTION" = update ]; then
        former=${stands:+$stands $count} count=1
    elif [ "${former%% *}" = "$work" ]; then
        count=$((${former##* } + 1)) former=''
    else
        count=1 former=''
    fi
    note_work "$work" "$count"
    # Whoever waits for changes on this node sees one by this number.
    if [ -e "$STATE/runs" ]; then read -r runs <"$STATE/runs"; fi
    put_file "$STATE/runs" <<<"$((runs + 1))"
    printf 'run %s\n' "$((runs + 1))" >&3
}

# Undoes the phase if the work that stands on the node is the one named, and no newer application of it stands; or whatever stands,
# where the machine is released.
undo_phase() {
    local work stands count former released
    work=$(value nonce)
    read_work
    if [ -n "$stands" ] && [ "$stands" != "$work" ] && [ -z "$released" ]; then
        say "podnet $PHASE --undo on $(hostname): newer work stands in the place of $work; left as it is"
        return
    fi
    if [ "$count" -gt 1 ]; then
        note_work "$stands" $((count - 1))
        say "podnet $PHASE --undo on $(hostname): the same work was applied anew since; left as it is"
        return
    fi
    "undo_$PHASE"
    rm -f "$STATE/work/$PHASE"
}

# Refuses a node that is not the owner's. `take` makes the first mark; without a mark nothing here is podnet's to undo but the
# program itself.
owned() {
    local owner node
    if [ ! -e "$STATE/owner" ]; then
        if [ "$ACTION" = undo ]; then
            [ "$PHASE" != take ] || remove_program
            exit 0
        fi
        [ "$PHASE" != take ] || return 0
        fail "this machine bears no owner's mark: it was installed anew, or somebody removed $STATE. Declare its node with gone: true and run the update, then take the node out and declare it again; where it is the control plane, make the cluster anew with pulumi destroy and pulumi up"
    fi
    read -r owner node _ <"$STATE/owner"
    if [ "$owner" != "$(value owner)" ] || [ "$node" != "$(value node)" ]; then
        if [ "$ACTION" = undo ]; then
            say "podnet $PHASE --undo on $(hostname): the machine belongs to $(owner_text) now; left as it is"
            exit 0
        fi
        fail "this machine belongs to $(owner_text); destroy that one first, or take this machine out of it; if it is this program's own cluster, whose state was lost, give the Cluster its owner as the argument owner"
    fi
}

# Who has the machine, for a reader.
owner_text() {
    local owner node cluster
    read -r owner node cluster <"$STATE/owner"
    echo "node $node of the podnet cluster $cluster (owner $owner)"
}
