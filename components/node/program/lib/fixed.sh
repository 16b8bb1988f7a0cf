# What of a cluster cannot change while it lives. It is noted on the control plane when the cluster is made, and the parameters
# are held against it before anything else changes.
# shellcheck shell=bash

# `setting: value` lines.
FIXED=$STATE/cluster-settings

fixed_settings() {
    cat <<END
clusterName: $(value cluster)
podCidr: $(value pod-cidr)
serviceCidr: $(value service-cidr)
dnsDomain: $(value dns-domain)
internalIp of the control plane: $(value internal-ip)
pod CIDR of the control plane, which follows from podCidr, nodePrefix and its slot: $(value node-pod-cidr)
END
}

note_fixed_settings() { fixed_settings | put_file "$FIXED"; }

# Refuses another value of what cannot change.
refuse_changes() {
    local differences
    [ -e "$FIXED" ] || { note_fixed_settings; return; }
    differences=$(awk -F': ' 'NR == FNR { was[$1] = $2; next } was[$1] != $2 { print "  - " $1 ": it is " was[$1] ", and the program says " $2 }' \
        "$FIXED" <(fixed_settings))
    [ -z "$differences" ] ||
        fail "this cannot change in a cluster that lives, and nothing was changed:
$differences
Put it back; or make the cluster anew with pulumi destroy and pulumi up, which ends all that runs in it"
}
