import { MARK } from "../../node/files";
import { assignments, writeFile } from "../../node/quote";
import { EGRESS_TABLE, egressRules, type Peer, ROUTE_PROTOCOL, routesFile } from "./routes";
import { NETWORK_SYSCTLS, sysctlFile } from "../../node/sysctls";

/** What decides the part of a node's network that podnet keeps in force itself. */
export interface HostInput {
  readonly internalIp: string;
  /** This node's pod CIDR. */
  readonly nodePodCidr: string;
  /** Pod CIDR of the whole cluster. */
  readonly podCidr: string;
  /** Every other node of the cluster. */
  readonly peers: readonly Peer[];
}

/** Folder of the network's files on a node. */
export const FOLDER = "/etc/podnet";
const APPLY = "/usr/local/lib/podnet/network";
const UNIT = "/etc/systemd/system/podnet-network.service";
const SYSCTLS = "/etc/sysctl.d/91-podnet-network.conf";

/**
 * The program on a node that puts the network's files into force: `apply` once, `watch` whenever a link changes. A link
 * that goes down takes its routes with it, and the kernel does not bring them back. It follows links only: a route that
 * somebody deletes by hand stays deleted, for the connectivity check to find.
 */
const PROGRAM = `#!/bin/bash
${MARK}
set -euo pipefail
. ${FOLDER}/network
device() {
  ip -o -4 address show to "$internal_ip/32" | awk '{ print $2; exit }'
}
apply() {
  local dev status=0 wanted seen
  dev=$(device)
  [ -n "$dev" ] || { echo "no link of $(hostname) has its internal IP $internal_ip" >&2; return 1; }
  sysctl -q -p ${SYSCTLS}
  nft -f ${FOLDER}/egress.nft
  # An accept in another table cannot undo a drop: it has to stand in the chain that drops.
  if iptables -S FORWARD 2>/dev/null | grep -qx -- '-P FORWARD DROP'; then
    for side in -s -d; do
      iptables -w -C FORWARD "$side" "$pod_cidr" -m comment --comment podnet -j ACCEPT 2>/dev/null ||
        iptables -w -I FORWARD "$side" "$pod_cidr" -m comment --comment podnet -j ACCEPT
    done
  fi
  wanted=$(sort ${FOLDER}/routes)
  seen=$(ip -4 route show proto ${String(ROUTE_PROTOCOL)} type unicast | awk '{ for (i = 2; i < NF; i++) if ($i == "via") print $1 " " $(i + 1) }' | sort)
  comm -13 <(echo "$wanted") <(echo "$seen") | while read -r cidr _; do
    [ -z "$cidr" ] || ip route del "$cidr" proto ${String(ROUTE_PROTOCOL)} || true
  done
  ip route replace unreachable "$node_pod_cidr" proto ${String(ROUTE_PROTOCOL)} metric 4294967294
  ip -force -batch - <<<"$(awk -v dev="$dev" 'NF { print "route replace " $1 " via " $2 " dev " dev " proto ${String(ROUTE_PROTOCOL)}" }' ${FOLDER}/routes)" || status=$?
  if [ "$status" != 0 ]; then
    echo "not every peer of $(hostname) can be a next hop on $dev: a bridge-plus-routes network needs all nodes on one link-layer segment" >&2
    return 1
  fi
}
watch() {
  local dev line
  apply
  dev=$(device)
  ip -o monitor link address | while read -r line; do
    # Pods' own links come and go all the time; only the one to the peers carries routes.
    [[ $line == *" $dev"[@:\\ ]* ]] || continue
    # Events come in bursts; the routes go back once a burst is over.
    while read -r -t 1 _; do :; done
    apply || true
  done
}
"$@"
`;

const SERVICE = `${MARK}
[Unit]
Description=podnet: routes to the other nodes' pods and masquerade of what leaves the cluster
Wants=network-online.target
After=network-online.target systemd-sysctl.service systemd-modules-load.service
Before=kubelet.service

[Service]
ExecStart=${APPLY} watch
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
`;

/**
 * Installs what keeps the sysctls, the egress rules and, where `routes` are podnet's own, the routes to the peers in force on
 * a node, and puts them into force.
 */
export function hostScript(input: HostInput, routes: boolean): string {
  return `${writeFile(`${FOLDER}/network`, assignments({ internal_ip: input.internalIp, pod_cidr: input.podCidr, node_pod_cidr: input.nodePodCidr }))}
${writeFile(`${FOLDER}/egress.nft`, egressRules({ nodePodCidr: input.nodePodCidr, podCidr: input.podCidr, internalIps: [input.internalIp, ...input.peers.map((peer) => peer.internalIp)] }))}
${writeFile(`${FOLDER}/routes`, routesFile(routes ? input.peers : []))}
${writeFile(SYSCTLS, sysctlFile(NETWORK_SYSCTLS))}
modprobe br_netfilter 2>/dev/null || true
${writeFile(APPLY, PROGRAM, "0755")}
${writeFile(UNIT, SERVICE)}
${APPLY} apply
systemctl daemon-reload
systemctl enable -q podnet-network
systemctl restart podnet-network
`;
}

/** Takes off a node what {@link hostScript} put there; `$pod_cidr` is the cluster's pod CIDR. */
export const REMOVE_HOST = `systemctl disable -q --now podnet-network 2>/dev/null || true
rm -f ${UNIT} ${APPLY} ${SYSCTLS}
systemctl daemon-reload
ip -4 route flush proto ${String(ROUTE_PROTOCOL)} 2>/dev/null || true
ip -4 route show type unreachable proto ${String(ROUTE_PROTOCOL)} | while read -r _ cidr _; do ip route del unreachable "$cidr" proto ${String(ROUTE_PROTOCOL)} || true; done
nft delete table ip ${EGRESS_TABLE} 2>/dev/null || true
for side in -s -d; do
  while iptables -w -D FORWARD "$side" "$pod_cidr" -m comment --comment podnet -j ACCEPT 2>/dev/null; do :; done
done
rm -rf ${FOLDER} /run/podnet
rmdir /usr/local/lib/podnet 2>/dev/null || true
`;
