/** What decides a node's CNI network configuration list. */
export interface ConflistInput {
  /** This node's pod CIDR. */
  readonly podCidr: string;
  /** MTU of the pods' links in bytes, or text that the node replaces by the MTU of its own link. */
  readonly mtu: number | string;
}

/** Name of the network, its file and the bridge that pods of one node meet on. */
export const CONFLIST_NAME = "podnet";
/** Where the conflist lies; the kubelet's runtime takes the first file of the folder by name. */
export const CONFLIST_PATH = "/etc/cni/net.d/10-podnet.conflist";
/** The Linux bridge of a node. */
export const BRIDGE = "cni0";

/**
 * The CNI network configuration list of one node (https://www.cni.dev/docs/spec/, plugins `bridge`, `host-local` and
 * `portmap`). Pods keep their addresses towards everyone (`ipMasq` off): what leaves the cluster is masqueraded by a table
 * of podnet's own. `hairpinMode` lets a service's only pod reach itself. Addresses are kept under /run, so that a node
 * that lost its pods in a crash does not keep their addresses taken.
 */
export function conflist({ podCidr, mtu }: ConflistInput): string {
  const bridge = {
    type: "bridge",
    bridge: BRIDGE,
    isGateway: true,
    ipMasq: false,
    hairpinMode: true,
    mtu,
    ipam: {
      type: "host-local",
      dataDir: "/run/podnet/ipam",
      ranges: [[{ subnet: podCidr }]],
      routes: [{ dst: "0.0.0.0/0" }],
    },
  };
  const portmap = { type: "portmap", capabilities: { portMappings: true } };
  return `${JSON.stringify({ cniVersion: "1.0.0", name: CONFLIST_NAME, plugins: [bridge, portmap] }, null, 2)}\n`;
}
