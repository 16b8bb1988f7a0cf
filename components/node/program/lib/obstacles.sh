# What stands in the way of a machine's becoming a node: things of others that podnet would overwrite, take away or run into. It
# stands alone, since the preflight asks it before there is a program on the machine. An obstacle a line; nothing is changed.
# shellcheck shell=bash

# What is declared of the node, by name; each is looked at where it is known: owner, node, role, conflist, path and peer (lists),
# pod-cidr, service-cidr.
declare -gA asked=()

UNITS=(containerd kubelet podnet-network)
UNIT_FOLDERS=(/etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system)

there() { [ -e "$1" ] || [ -L "$1" ]; }

# Whether the machine is this very node already. A mark of somebody else's is an obstacle, and the only one that counts.
marked() {
    local owner node cluster
    [ -e /var/lib/podnet/owner ] || return 1
    read -r owner node cluster </var/lib/podnet/owner
    if [ "$owner" != "${asked[owner]-}" ]; then
        echo "it belongs to node $node of the podnet cluster $cluster (owner $owner); destroy that one first, or take this machine out of it; if it is this program's own cluster, whose state was lost, give the Cluster its owner as the argument owner"
    elif [ "$node" != "${asked[node]-}" ]; then
        echo "it is node $node of this cluster, and a node keeps its name: leave it $node, or take $node out of the program, run the update, and then add ${asked[node]-}"
    fi
}

look_at_system() {
    local missing='' program
    [ -d /run/systemd/system ] || echo "systemd is not the init system; podnet needs it to run containerd and the kubelet"
    case $(uname -m) in
        x86_64 | aarch64) ;;
        *) echo "$(uname -m) machines are not supported; use x86_64 or aarch64" ;;
    esac
    for program in awk cmp conntrack curl find flock gzip hostname ip modprobe nft openssl ps sha256sum sysctl tar timeout; do
        command -v "$program" >/dev/null || missing+=" $program"
    done
    [ -z "$missing" ] ||
        echo "missing programs:$missing; on Debian and Ubuntu: apt-get install conntrack coreutils curl diffutils findutils gawk gzip hostname iproute2 kmod nftables openssl procps tar util-linux"
}

# Files that podnet, kubeadm or a network's agent would overwrite, and take away in the end.
look_at_files() {
    local file
    ! there /etc/kubernetes/kubelet.conf || echo "it is a Kubernetes node already; run kubeadm reset on it first"
    while read -r file; do
        ! there "$file" || echo "$file belongs to another installation; move it away first"
    done < <(
        printf '%s\n' /etc/kubernetes/{admin,super-admin,controller-manager,scheduler,bootstrap-kubelet}.conf
        # Each may be a link to somebody's folder, which kubeadm would empty.
        { find -H /etc/kubernetes/{manifests,pki,tmp} -mindepth 1 -maxdepth 1 2>/dev/null || true; } | sort
        printf '%s\n' /etc/containerd/config.toml /etc/systemd/system/{containerd,kubelet,podnet-network}.service \
            /etc/sysctl.d/90-podnet.conf /etc/modules-load.d/podnet.conf \
            /usr/local/bin/{kubelet,kubeadm,kubectl,containerd,containerd-shim-runc-v2,ctr,crictl} /usr/local/sbin/runc \
            /opt/cni/bin/{bridge,host-local,loopback,portmap} "/etc/cni/net.d/${asked[conflist]:-10-podnet.conflist}"
        # What an interrupted take leaves is podnet's.
        { find /var/lib/podnet -mindepth 1 -maxdepth 1 -not -name 'before*' -not -name owner.podnet-new 2>/dev/null || true; } | sort
    )
    look_at_paths
    for file in /etc/cni/net.d/*.conflist /etc/cni/net.d/*.conf /etc/cni/net.d/*.json; do
        if there "$file" && [ -n "${asked[conflist]-}" ] && [[ ${file##*/} < ${asked[conflist]} ]]; then
            echo "$file comes before ${asked[conflist]}, so pods would get that network; move it away first"
        fi
    done
    if there /etc/containerd/conf.d && [ -n "$(ls -A /etc/containerd/conf.d)" ]; then
        echo "/etc/containerd/conf.d holds settings that containerd reads beside podnet's; move them away first"
    fi
}

# What the network that is declared would overwrite, and take away in the end; a path may end in `*`.
look_at_paths() {
    local path file files
    while read -r path; do
        [ -n "$path" ] || continue
        files=("$path")
        [[ $path != *'*' ]] || files=("${path%\*}"*)
        for file in "${files[@]}"; do
            ! there "$file" || echo "$file is there, and the network would take it for its own; take it away first"
        done
    done <<<"${asked[path]-}"
}

# A node that gets another kind of network: what is there of that one before is somebody else's.
look_at_change() {
    local kind=''
    if [ -e /var/lib/podnet/network-on-node ]; then read -r _ kind _ </var/lib/podnet/network-on-node; fi
    if [ -z "$kind" ] || [ -z "${asked[kind]-}" ] || [ "$kind" = "${asked[kind]}" ]; then return 0; fi
    ! there "/etc/cni/net.d/${asked[conflist]-}" || echo "/etc/cni/net.d/${asked[conflist]-} belongs to another installation; move it away first"
    look_at_paths
}

# Data: these folders are emptied when the machine is given back. Each may be a link to where it lies.
look_at_data() {
    local folder names
    for folder in /var/lib/etcd /var/lib/kubelet /var/lib/containerd; do
        if [ -L "$folder" ] && [ ! -e "$folder" ]; then
            echo "$folder is a link to $(readlink "$folder"), which is not there; mount its disk, or make that folder"
            continue
        fi
        names=$({ find -H "$folder" -mindepth 1 -maxdepth 1 -not -name lost+found -printf '%f\n' 2>/dev/null || true; } | sort | awk 'NR <= 4' | paste -sd ' ')
        [ -n "$names" ] || continue
        # The lab's node image brings images in containerd's store.
        [ "$folder" != /var/lib/containerd ] || [ ! -e /usr/local/share/podnet/preloaded.json ] || continue
        echo "$folder holds $({ timeout 5 du -shD "$folder" 2>/dev/null || echo much; } | cut -f 1 | head -n 1) of somebody's data (${names// /, }); move it away, or use another machine"
    done
}

look_at_units() {
    local name folder file
    for name in docker containerd crio; do
        ! systemctl is-active -q "$name" 2>/dev/null ||
            echo "the service $name runs here; podnet runs a containerd of its own, and the two would collide"
    done
    for name in "${UNITS[@]}"; do
        for folder in "${UNIT_FOLDERS[@]}"; do
            file=$folder/$name.service
            if [ "$(readlink "$file")" = /dev/null ]; then
                echo "the unit $name is masked by $file; run systemctl unmask $name first"
            elif [ "$folder" != /etc/systemd/system ] && there "$file"; then
                echo "$file is a unit of the machine's own, whose name podnet needs; remove its package first"
            fi
        done
    done
}

# Ports that the node's own services listen on.
look_at_ports() {
    local port ports='10248 10249 10250 10256' listening user
    case ${asked[role]-} in
        control-plane) ports+=' 2379 2380 2381 6443 10257 10259' ;;
        worker) ;;
        *) return 0 ;;
    esac
    listening=$(ss -Hltnp 2>/dev/null || true)
    for port in $ports; do
        user=$(awk -v port=":$port" 'substr($4, length($4) - length(port) + 1) == port { print $6; exit }' <<<"$listening")
        [ -z "$user" ] || echo "port $port is in use$(sed -n 's/.*(("\([^"]*\)",pid=\([0-9]*\).*/ by \1 (process \2)/p' <<<"$user"), and Kubernetes needs it; stop what listens there"
    done
}

# Links, routes and rules that podnet would take for its own, or that lead pods' packets elsewhere.
look_at_network() {
    local name cidr family table chain pods=${asked[pod-cidr]-}
    ! there /sys/class/net/cni0 || echo "there is a link cni0, the name of the bridge that podnet gives pods; remove it first (ip link delete cni0)"
    [ -z "$(ip -4 route show table all proto 71 2>/dev/null)" ] || echo "there are routes of protocol 71, which podnet takes for its own; give them another one (ip -4 route show table all proto 71)"
    look_at_remains
    ! nft list table ip podnet >/dev/null 2>&1 || echo "an nftables table ip podnet is there, the name of podnet's own; take it away first (nft delete table ip podnet)"
    for name in pod-cidr service-cidr; do
        cidr=${asked[$name]-}
        [ -n "$cidr" ] || continue
        { ip -4 route show root "$cidr"; ip -4 route show match "$cidr" | awk '$1 != "default"'; } 2>/dev/null | awk '!seen[$0]++' | sed 's/ *$//' |
            sed "s|.*|the route \"&\" leads to addresses of the $name $cidr; choose another one, or take the route away|"
        look_at_tables "$name" "$cidr"
    done
    [ -n "$pods" ] || return 0
    while read -r family table chain; do
        [ -z "$chain" ] || names_pods "$family" "$table" "$pods" ||
            echo "nft's chain $family $table $chain drops what the machine forwards, pods' packets too; $(let_pass "$family" "$table" "$chain" "$pods")"
    done <<<"$(closed_chains)"
}

# Tables of routes that the kernel looks into for every packet before main, where pods' routes are. What a table throws goes on to
# main. A default route takes pods' packets there, too.
look_at_tables() {
    local name=$1 cidr=$2 table covering
    while read -r table; do
        [ -n "$table" ] || continue
        covering=$(ip -4 route show table "$table" match "$cidr" 2>/dev/null || true)
        ! grep -q '^throw ' <<<"$covering" || covering=''
        {
            ip -4 route show table "$table" root "$cidr" 2>/dev/null || true
            if [ "$name" = pod-cidr ]; then echo "$covering"; else awk '$1 != "default"' <<<"$covering"; fi
        } | awk 'NF && $1 != "throw" && !seen[$0]++' | sed 's/ *$//' |
            sed "s|.*|the route \"&\" of the table $table, which a rule has looked into before main (ip rule), leads to addresses of the $name $cidr; choose another one, take the route away, or have the table leave them (ip route add throw $cidr table $table)|"
    done <<<"$(tables_before_main)"
}

# Such tables. A rule for some packets only is none: pods' bear no mark and come from no address of the machine's.
tables_before_main() {
    ip -4 rule 2>/dev/null | sed 's/^[0-9]*:[ \t]*//; s/ *$//; s/ proto [a-z0-9]*$//; s/^not from all fwmark [^ ]* /from all /' |
        awk '/^from all lookup main/ { over = 1 } !over && /^from all lookup [a-z0-9_-]+$/ && $4 != "local" && !seen[$4]++ { print $4 }'
}

# names_pods FAMILY TABLE CIDR: whoever names the pods in a table of rules has thought of them.
names_pods() { grep -qF -- "$3" <<<"$(nft list table "$1" "$2" 2>/dev/null)"; }

# What takes such chains off, and nothing else: the rules that lead there first.
remains_off() {
    local load="${1/save/restore} --noflush" names='(KUBE-|FLANNEL-|CILIUM_)'
    printf '%s\n' "$1 | sed -nE '/^[*C]/p; s/^-A (.* -[jg] ${names})/-D \1/p' | $load; $1 | sed -nE '/^[*C]/p; s/^:(${names}[^ ]*).*/-F \1\n-X \1/p' | $load"
}

# Rules of another kube-proxy, kubelet or network, in force or left behind. Those of podnet's have the same names, and go by them.
look_at_remains() {
    local save chains family
    for save in iptables-save ip6tables-save; do
        chains=$({ "$save" 2>/dev/null || true; } | grep -oE '^:(KUBE-|FLANNEL-|CILIUM_)[^ ]*' | cut -c 2- | sort -u | awk 'NR <= 3 { print } NR == 4 { print "..." }' | paste -sd ' ' || true)
        [ -z "$chains" ] || echo "there are chains of another Kubernetes or pod network in iptables (${chains// /, }); take it away, and then what it left ($(remains_off "$save"))"
    done
    for family in ip ip6; do
        ! nft list table "$family" kube-proxy >/dev/null 2>&1 ||
            echo "an nftables table $family kube-proxy is there, of another kube-proxy; take that away, and then its table (nft delete table $family kube-proxy)"
    done
}

# Whether iptables shows that its chain FORWARD drops, in a way that podnet itself (`routes`) or the network's agent opens.
iptables_drops() { iptables -S FORWARD 2>/dev/null | grep -xE -- '-P FORWARD DROP|-A FORWARD -j (DROP|REJECT.*)' >/dev/null; }

# Chains that let nothing be forwarded but what a rule of theirs accepts: by their policy, or by a rule for all packets. That of
# iptables is one only where iptables does not show it so: without that program, or with its legacy form, nobody would open it.
closed_chains() {
    local family table chain policy
    while read -r family table chain policy; do
        case $family/$table/$chain in
            # Pods have IPv4 addresses alone.
            ip6/* | *//) continue ;;
            ip/filter/FORWARD) ! iptables_drops || continue ;;
        esac
        if [ "$policy" = drop ] || refuses_all "$family" "$table" "$chain"; then echo "$family $table $chain"; fi
    done <<<"$(nft list chains 2>/dev/null | awk '
        $1 == "table" { table = $2 " " $3 }
        $1 == "chain" { chain = $2 }
        /hook forward/ { print table, chain, (/policy drop/ ? "drop" : "accept") }')"
}

# Whether a chain drops or rejects whatever comes to it, or a chain does that it hands it to. One that lets some return has chosen
# what it drops.
refuses_all() {
    local family=$1 table=$2 to rules
    rules=$(rules_for_all "$@")
    ! grep -qx drop <<<"$rules" || return 0
    while read -r to; do
        [ -n "$to" ] || continue
        rules=$(rules_for_all "$family" "$table" "$to")
        if grep -qx drop <<<"$rules" && ! grep -qx return <<<"$rules"; then return 0; fi
    done <<<"$(sed -n 's/^to //p' <<<"$rules")"
    return 1
}

# What a chain does with whatever comes to it, or with all that is new: `drop` or `to CHAIN`; and `return`, be it for some only.
rules_for_all() {
    nft list chain "$@" 2>/dev/null | awk '
        /(^|[ \t])return( |$)/ { print "return" }
        {
            sub(/^[ \t]+/, "")
            do {
                before = $0
                sub(/^counter (packets [0-9]+ bytes [0-9]+ |name [^ ]+ )?/, "")
                sub(/^log (prefix "[^"]*" |level [a-z]+ |group [0-9]+ |flags (all|skuid|ether|ip options|tcp [a-z,]+) )*/, "")
                sub(/^ct state (([a-z]+,)*new(,[a-z]+)*|[{] ([a-z]+, )*new(, [a-z]+)* [}]|!= ([{] )?(established|related)((,|, | [|] )(established|related))*( [}])?) /, "")
            } while ($0 != before)
        }
        /^(accept|return)( |$)/ { over = 1 }
        !over && /^(drop|reject)( |$)/ { print "drop" }
        !over && /^(jump|goto) / { print "to " $2 }'
}

# What to do so that pods' packets pass a chain.
let_pass() {
    local family=$1 table=$2 chain=$3 pods=$4
    if [ "$table" = firewalld ]; then
        echo "let them pass first (firewall-cmd --permanent --zone=trusted --add-source=$pods, the same for the address of every node, then firewall-cmd --reload)"
    else
        echo "let them pass first (nft insert rule $family $table $chain ip saddr $pods accept; nft insert rule $family $table $chain ip daddr $pods accept)"
    fi
}

# All obstacles, one a line.
look_for_obstacles() {
    if [ -e /var/lib/podnet/claim ]; then
        echo "podnet 0.1 took it for the cluster $(cat /var/lib/podnet/claim), and this version cannot go on from there. It was left as it is. Destroy that stack first (pulumi destroy), then run the update again"
        return
    fi
    ! marked || return 0
    look_at_system
    look_at_files
    look_at_data
    look_at_units
    look_at_ports
    look_at_network
}
