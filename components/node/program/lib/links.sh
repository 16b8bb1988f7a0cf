# Reads what `ip` and `bridge` print of links.
# shellcheck shell=bash

# The word behind another in a text; nothing where there is none.
word_behind() { awk -v name="$1" '{ for (i = 1; i < NF; i++) if ($i == name) { print $(i + 1); exit } }' <<<"$2"; }

# Whether a link's flags, as `ip` prints them, have it up.
is_up() { [[ $1 == *[\<,]UP[,\>]* ]] && echo true || echo false; }

# The name of the link in a line of `ip link`.
link_name() { awk -F'[ :@]+' '{ print $2 }' <<<"$1"; }

# The MTU in a line of `ip link`; 0 where there is no link.
mtu_in() {
    local mtu
    mtu=$(word_behind mtu "$1")
    echo "${mtu:-0}"
}

# Whether a port of a bridge has a flag on.
port_is() { [[ $(bridge -o -d link show dev "$1" 2>/dev/null || true) == *" $2 on"* ]] && echo true || echo false; }
