/**
 * Route protocol number of podnet's routes, so that taking them away spares everybody else's; unassigned in iproute2's
 * rt_protos.
 */
export const ROUTE_PROTOCOL = 71;

/** A peer of a node: where its pods are, and the address to send them by. */
export interface Peer {
  readonly podCidr: string;
  readonly internalIp: string;
}

/**
 * The file of routes to a node's peers: one `<pod CIDR> <next hop>` a line, in the order of the peers. The node gives
 * them its link and protocol when it applies them.
 */
export function routesFile(peers: readonly Peer[]): string {
  return peers.map(({ podCidr, internalIp }) => `${podCidr} ${internalIp}\n`).join("") || "\n";
}

/** What decides the masquerade of a node's pods. */
export interface EgressInput {
  /** Pod CIDR of the node whose pods' traffic this is. */
  readonly nodePodCidr: string;
  /** Pod CIDR of the whole cluster. */
  readonly podCidr: string;
  /** Addresses of all the cluster's nodes. */
  readonly internalIps: readonly string[];
}

/** The nftables table that holds podnet's egress rules. */
export const EGRESS_TABLE = "podnet";

/**
 * The nftables script that masquerades what a node's pods send out of the cluster, and nothing that goes to a pod or to a
 * node: those must see the pod's own address (rules 1 and 2 of https://kubernetes.io/docs/concepts/services-networking/).
 * Loading it replaces the table as one transaction.
 */
export function egressRules({ nodePodCidr, podCidr, internalIps }: EgressInput): string {
  return `table ip ${EGRESS_TABLE}
delete table ip ${EGRESS_TABLE}
table ip ${EGRESS_TABLE} {
	set inside {
		type ipv4_addr
		flags interval
		elements = { ${[podCidr, ...internalIps].join(", ")} }
	}
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr ${nodePodCidr} ip daddr != @inside ip daddr != 224.0.0.0/4 fib daddr type != local masquerade fully-random
	}
}
`;
}
