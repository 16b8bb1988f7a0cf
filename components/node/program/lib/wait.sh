# Waiting: with a deadline in seconds, the reason shown while it lasts, and an early end when it is in vain.
# shellcheck shell=bash

# wait_until SECONDS WHAT FUNCTION [ARG...]: calls FUNCTION until it succeeds. FUNCTION prints the reason for waiting; it returns
# 2 when what is waited for can no longer come. Fails after SECONDS, naming WHAT, the seconds that passed and the reason.
wait_until() {
    local seconds=$1 what=$2 began=$SECONDS spoke=$SECONDS code said='' reason
    shift 2
    while :; do
        code=0
        reason=$("$@") || code=$?
        [ "$code" != 0 ] || return 0
        if [ "$code" = 2 ]; then
            say "$what: will not come any more, after $((SECONDS - began)) s${reason:+: $reason}"
            return 1
        fi
        if [ $((SECONDS - began)) -ge "$seconds" ]; then
            say "$what: not so after $((SECONDS - began)) s${reason:+: $reason}"
            return 1
        fi
        if [ "$reason" != "$said" ] && [ $((SECONDS - spoke)) -ge 5 ]; then
            say "waiting for $what${reason:+: $reason}"
            said=$reason spoke=$SECONDS
        fi
        sleep 0.25
    done
}

# For functions of wait_until: succeeds when there is no text, else prints it as the reason.
none() {
    [ -n "$*" ] || return 0
    printf '%s' "$*"
    return 1
}
