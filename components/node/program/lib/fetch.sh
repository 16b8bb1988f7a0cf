# Getting files and images onto the node, each checked by its SHA-256.
# shellcheck shell=bash

# A folder for downloads, which goes when the phase ends.
scratch() {
    mkdir -p "$STATE"
    # What an interrupted run left.
    rm -rf "$STATE"/fetch.*
    SCRATCH=$(mktemp -d "$STATE/fetch.XXXXXX")
    trap 'rm -rf "$SCRATCH"' EXIT
}

# A URL without its password, for messages.
without_password() { sed -E 's|^([a-z]+://)[^/@]*@|\1|' <<<"$1"; }

# fetch PATH SHA256: leaves the checked file's path in `fetched`. A file:// mirror is read in place.
fetch() {
    local path=$1 sum=$2 mirror seen
    mirror=$(value mirror)
    case $mirror in
        file://*)
            fetched=${mirror#file://}/$path
            [ -r "$fetched" ] || { say "$mirror/$path: not there; make the mirror anew"; return 1; }
            ;;
        *)
            fetched=$SCRATCH/$sum
            curl -q -fsSL --retry 3 --connect-timeout 10 --speed-limit 1000 --speed-time 30 -o "$fetched" "${mirror:-https:/}/$path" || {
                say "cannot fetch $path from $(without_password "${mirror:-its upstream}"): is it reachable from $(hostname)?"
                return 1
            }
            ;;
    esac
    seen=$(sum_of "$fetched")
    [ "$seen" = "$sum" ] || { say "$path: SHA-256 is $seen, expected $sum; refused"; return 1; }
}

# The images that the machine came with, unpacked: as JSON, one `"image": "sha256"` a line.
export PRELOADED=/usr/local/share/podnet/preloaded.json

has_image() { [ -n "$(ctr -n k8s.io images ls -q "name==$1" 2>/dev/null)" ]; }

# give_image IMAGE [SHA256]: gives containerd an image, out of the mirror's archive when its sum is known, else from its
# registry. An image that is there from the same archive stays.
give_image() {
    local image=$1 sum=${2-} mark fetched
    mark=$STATE/images/$(sha256sum <<<"$image" | cut -c 1-16)
    if [ -z "$sum" ]; then
        ! has_image "$image" || return 0
        timeout 300 crictl -c "$ROOT/files/crictl.yaml" -t 300s pull "$image" >"$SCRATCH/pull" 2>&1 || {
            say "$(hostname) cannot pull the image $image: $(tail -n 1 "$SCRATCH/pull" | cut -c 1-300)"
            say "where no registry can be reached, a mirror has to hold it; \"make up\" makes one"
            return 1
        }
        return 0
    fi
    if { [ "$(cat "$mark" 2>/dev/null)" = "$sum" ] || grep -qsF "\"$image\": \"$sum\"" "$PRELOADED"; } && has_image "$image"; then return 0; fi
    # registry.k8s.io/pause:3.10 lies at registry.k8s.io/pause/3.10.tar.
    fetch "${image%:*}/${image##*:}.tar" "$sum"
    ctr -n k8s.io images import "$fetched" >"$SCRATCH/log-$sum" 2>&1 || { cat "$SCRATCH/log-$sum" >&2; return 1; }
    put_file "$mark" <<<"$sum"
}

# Gives containerd every image of the parameters, side by side.
give_images() {
    local image sum job jobs=() failed=
    while read -r image sum; do
        [ -n "$image" ] || continue
        give_image "$image" "$sum" &
        jobs+=($!)
    done <<<"$(each image)"
    for job in "${jobs[@]}"; do wait "$job" || failed=yes; done
    [ -z "$failed" ] || fail "some images could not be had"
}
