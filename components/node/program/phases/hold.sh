# Notes under which hold of its stack the machine is: a text that is another one for each resource that holds it. With `release`, and
# under that hold, the undo that follows takes everything off, also what was applied twice, and what an update applied that was killed
# before Pulumi had it on record. An answer in frames shows that the machine runs what it is told, before anything on it is undone.
# shellcheck shell=bash

# It leaves no work of its own, and asks for owner and lock itself: on a machine that is another's it does nothing.
only_reads
lasts 60

HOLD=$STATE/hold

declare_hold() {
    takes owner node hold
    may_take release
}

do_hold() {
    local owner='' node='' file
    if [ -e "$STATE/owner" ]; then read -r owner node _ <"$STATE/owner"; fi
    if [ "$owner $node" != "$(value owner) $(value node)" ]; then
        answer "not ours"
        return
    fi
    mkdir -p "$RUN"
    exec 9>"$RUN/lock"
    flock -w 50 9 || fail "another run of podnet holds this node for more than 50 s"
    if [ "$(value release)" != yes ]; then
        put_file "$HOLD" <<<"$(value hold)"
        answer held
    elif [ "$(cat "$HOLD" 2>/dev/null || true)" = "$(value hold)" ]; then
        for file in "$STATE"/work/[a-z]*; do
            [ -e "$file" ] || continue
            release_work "${file##*/}"
        done
        answer released
    else
        answer "held anew"
    fi
}

undo_hold() { :; }
