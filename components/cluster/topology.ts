import type { Partly } from "../args/checked";
import { addressAt, type Cidr, formatCidr, formatIpv4, overlaps, parseCidr, subnet, subnetCount } from "../args/ipv4";
import { InvalidInputError, type Problem } from "../args/validate";

/** What decides a cluster's addresses: its CIDRs, and a slot and role for each node, by node name. */
export interface TopologyInput {
  readonly podCidr: string;
  readonly serviceCidr: string;
  /** Prefix length of one node's pod CIDR. */
  readonly nodePrefix: number;
  readonly nodes: Readonly<Record<string, TopologyNode>>;
}

/** What decides a node's address. */
interface TopologyNode {
  readonly slot: number;
  readonly role: string;
  /** Whether its machine is gone for good: it is no member, and has no address. */
  readonly gone?: boolean | undefined;
}

/** The addresses that follow from a TopologyInput. */
export interface Topology {
  readonly controlPlane: string;
  readonly workers: readonly string[];
  /** Pod CIDR of each node, by node name. */
  readonly podCidrs: Readonly<Record<string, string>>;
  /** ClusterIP of the cluster's DNS: the tenth address of the service CIDR, as kubeadm has it. */
  readonly dnsIp: string;
}

/** The pod CIDR of a slot: that slot's subnet of the cluster's pod CIDR. */
export function podCidrOf(podCidr: Cidr, nodePrefix: number, slot: number): Cidr {
  return subnet(podCidr, nodePrefix, slot);
}

/**
 * Problems that single values do not show: too few subnets, duplicate slots, overlaps, the number of control planes. Of values that
 * are not known yet nothing is said.
 */
export function topologyProblems(input: Partly<TopologyInput>): Problem[] {
  return [...rangeProblems(input), ...slotProblems(input), ...controlPlaneProblems(Object.entries(input.nodes ?? {}))];
}

/**
 * Prefix lengths that kubeadm takes, which says so only on a machine that is taken: 10 Services and 14 pods at least
 * (MinimumAddressesInServiceSubnet and -InPodSubnet in its constants), 20 bits of Services at most (MaximumBitsForServiceSubnet).
 */
const KUBEADM_TAKES = {
  podCidr: { shortest: 0, longest: 28, said: "a /28 or larger" },
  serviceCidr: { shortest: 12, longest: 28, said: "a /12 to a /28" },
} as const;

function rangeProblems({ podCidr, serviceCidr }: Partly<TopologyInput>): Problem[] {
  const problems: Problem[] = [];
  if (podCidr !== undefined && serviceCidr !== undefined && overlaps(parseCidr(podCidr), parseCidr(serviceCidr))) {
    problems.push({
      path: "serviceCidr",
      message: `${serviceCidr} overlaps the pod CIDR ${podCidr}; choose one outside it`,
    });
  }
  for (const [path, cidr] of [
    ["podCidr", podCidr],
    ["serviceCidr", serviceCidr],
  ] as const) {
    if (cidr === undefined) {
      continue;
    }
    const { prefix } = parseCidr(cidr);
    const { shortest, longest, said } = KUBEADM_TAKES[path];
    if (prefix < shortest || prefix > longest) {
      problems.push({ path, message: `${cidr} is too ${prefix > longest ? "small" : "large"}; kubeadm takes ${said}` });
    }
    const range = specialRange(cidr);
    if (range !== undefined) {
      problems.push({ path, message: `${cidr} overlaps ${range}, whose addresses no pod can have; choose another` });
    }
  }
  return problems;
}

function slotProblems({ podCidr, nodePrefix, nodes = {} }: Partly<TopologyInput>): Problem[] {
  const count =
    podCidr === undefined || nodePrefix === undefined ? Infinity : subnetCount(parseCidr(podCidr), nodePrefix);
  const problems: Problem[] = [];
  if (count === 0) {
    problems.push({
      path: "podCidr",
      message: `${podCidr} is too small for one /${String(nodePrefix)}; use a larger pod CIDR or a longer nodePrefix`,
    });
  }
  const bySlot = new Map<number, string>();
  for (const [name, node] of Object.entries(nodes)) {
    if (node?.slot === undefined || node.gone === true) {
      continue;
    }
    const { slot } = node;
    const other = bySlot.get(slot);
    if (other !== undefined) {
      problems.push({
        path: `nodes.${name}.slot`,
        message: `slot ${String(slot)} is taken by node "${other}"; every node needs its own`,
      });
    }
    bySlot.set(slot, other ?? name);
    if (count > 0 && slot >= count) {
      problems.push({
        path: "podCidr",
        message: `${podCidr} has ${String(count)} subnets of /${String(nodePrefix)}, so slots 0 to ${String(count - 1)}; node "${name}" has slot ${String(slot)}`,
      });
    }
  }
  return problems;
}

function controlPlaneProblems(nodes: readonly (readonly [string, Partly<TopologyNode> | undefined])[]): Problem[] {
  const members = nodes.filter(([, node]) => node?.gone !== true);
  const controlPlanes = nodes.filter(([, node]) => node?.role === "control-plane");
  const living = controlPlanes.filter((node) => members.includes(node)).map(([name]) => `"${name}"`);
  if (living.length > 1) {
    const message = `${living.join(" and ")} have the role "control-plane"; more than one is not supported yet`;
    return [{ path: "nodes", message }];
  }
  if (living.length === 1 || members.some(([, node]) => node?.role === undefined)) {
    return [];
  }
  return controlPlanes.length === 0
    ? [{ path: "nodes", message: 'no node has the role "control-plane"; give it to exactly one' }]
    : controlPlanes.map(([name]) => ({
        path: `nodes.${name}.gone`,
        message:
          'the cluster ends with the machine of its control plane; start the machine and take "gone" away, or remove the ' +
          "stack: pulumi stack rm --force",
      }));
}

/** Decides every address of a cluster, or throws one InvalidInputError with all that is wrong. */
export function planTopology(subject: string, input: TopologyInput): Topology {
  const problems = topologyProblems(input);
  const names = Object.keys(input.nodes).filter((name) => input.nodes[name]?.gone !== true);
  const controlPlane = names.find((name) => input.nodes[name]?.role === "control-plane");
  if (problems.length > 0 || controlPlane === undefined) {
    throw new InvalidInputError(subject, problems);
  }
  const pods = parseCidr(input.podCidr);
  return {
    controlPlane,
    workers: names.filter((name) => name !== controlPlane),
    podCidrs: Object.fromEntries(
      names.map((name) => [name, formatCidr(podCidrOf(pods, input.nodePrefix, input.nodes[name]?.slot ?? 0))]),
    ),
    dnsIp: formatIpv4(addressAt(parseCidr(input.serviceCidr), 10)),
  };
}

/** IPv4 ranges that have a meaning of their own (RFC 6890), and what they are. */
const SPECIAL: Readonly<Record<string, string>> = {
  "0.0.0.0/8": "unspecified",
  "127.0.0.0/8": "loopback",
  "169.254.0.0/16": "link-local",
  "224.0.0.0/4": "multicast",
  "255.255.255.255/32": "broadcast",
};

/** The special range that a CIDR overlaps, as a message names it. */
function specialRange(cidr: string): string | undefined {
  const found = Object.entries(SPECIAL).find(([range]) => overlaps(parseCidr(range), parseCidr(cidr)));
  return found && `the ${found[1]} range ${found[0]}`;
}

/**
 * Problems of node addresses against the cluster's CIDRs: an address inside one of them, or used twice. What is not known yet is
 * undefined.
 */
export function addressProblems(
  internalIps: Readonly<Record<string, string | undefined>>,
  cidrs: Readonly<Record<string, string | undefined>>,
): Problem[] {
  const problems: Problem[] = [];
  const seen = new Map<string, string>();
  for (const [name, address] of Object.entries(internalIps)) {
    if (address === undefined) {
      continue;
    }
    const other = seen.get(address);
    if (other !== undefined) {
      problems.push({ path: `nodes.${name}.internalIp`, message: `${address} is also node "${other}"'s` });
    }
    seen.set(address, name);
    const range = specialRange(`${address}/32`);
    if (range !== undefined) {
      problems.push({
        path: `nodes.${name}.internalIp`,
        message: `${address} lies in ${range}, by which no other node reaches this one; give its address in the nodes' own network`,
      });
    }
    for (const [what, cidr] of Object.entries(cidrs)) {
      if (cidr !== undefined && overlaps(parseCidr(cidr), parseCidr(`${address}/32`))) {
        problems.push({
          path: `nodes.${name}.internalIp`,
          message: `${address} lies inside the ${what} ${cidr}; choose another ${what}, or for a lab another subnet (podnet:labSubnet)`,
        });
      }
    }
  }
  return problems;
}
