import {
  addressAt,
  type Cidr,
  formatCidr,
  formatIpv4,
  overlaps,
  parseCidr,
  size,
  subnet,
  subnetCount,
} from "../args/ipv4";
import { InvalidInputError, type Problem } from "../args/validate";

/** What decides a cluster's addresses: its CIDRs, and a slot and role for each node, by node name. */
export interface TopologyInput {
  readonly podCidr: string;
  readonly serviceCidr: string;
  /** Prefix length of one node's pod CIDR. */
  readonly nodePrefix: number;
  readonly nodes: Readonly<Record<string, { readonly slot: number; readonly role: string }>>;
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

/** Problems that single values do not show: too few subnets, duplicate slots, overlaps, the number of control planes. */
export function topologyProblems(input: TopologyInput): Problem[] {
  const problems: Problem[] = [];
  const pods = parseCidr(input.podCidr);
  const services = parseCidr(input.serviceCidr);
  if (overlaps(pods, services)) {
    problems.push({
      path: "serviceCidr",
      message: `${input.serviceCidr} overlaps the pod CIDR ${input.podCidr}; choose one outside it`,
    });
  }
  if (size(services) < 16) {
    problems.push({ path: "serviceCidr", message: `${input.serviceCidr} is too small; use a /28 or larger` });
  }
  for (const path of ["podCidr", "serviceCidr"] as const) {
    const range = specialRange(input[path]);
    if (range !== undefined) {
      problems.push({
        path,
        message: `${input[path]} overlaps ${range}, whose addresses no pod can have; choose another`,
      });
    }
  }
  const names = Object.keys(input.nodes);
  const count = subnetCount(pods, input.nodePrefix);
  const bySlot = new Map<number, string>();
  for (const name of names) {
    const slot = input.nodes[name]?.slot ?? 0;
    const other = bySlot.get(slot);
    if (other !== undefined) {
      problems.push({
        path: `nodes.${name}.slot`,
        message: `slot ${String(slot)} is taken by node "${other}"; every node needs its own`,
      });
    }
    bySlot.set(slot, other ?? name);
    if (slot >= count) {
      problems.push({
        path: "podCidr",
        message:
          count === 0
            ? `${input.podCidr} is too small for one /${String(input.nodePrefix)}; use a larger pod CIDR or a longer nodePrefix`
            : `${input.podCidr} has ${String(count)} subnets of /${String(input.nodePrefix)}, so slots 0 to ${String(count - 1)}; node "${name}" has slot ${String(slot)}`,
      });
    }
  }
  const controlPlanes = names.filter((name) => input.nodes[name]?.role === "control-plane");
  if (controlPlanes.length === 0) {
    problems.push({
      path: "nodes",
      message: 'no node has the role "control-plane"; give it to exactly one',
    });
  } else if (controlPlanes.length > 1) {
    problems.push({
      path: "nodes",
      message: `${controlPlanes.map((name) => `"${name}"`).join(" and ")} have the role "control-plane"; more than one is not supported yet`,
    });
  }
  return problems;
}

/** Decides every address of a cluster, or throws one InvalidInputError with all that is wrong. */
export function planTopology(subject: string, input: TopologyInput): Topology {
  const problems = topologyProblems(input);
  const names = Object.keys(input.nodes);
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

/** Problems of node addresses against the cluster's CIDRs: an address inside one of them, or used twice. */
export function addressProblems(
  internalIps: Readonly<Record<string, string>>,
  cidrs: Readonly<Record<string, string>>,
): Problem[] {
  const problems: Problem[] = [];
  const seen = new Map<string, string>();
  for (const [name, address] of Object.entries(internalIps)) {
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
      if (overlaps(parseCidr(cidr), parseCidr(`${address}/32`))) {
        problems.push({ path: `nodes.${name}.internalIp`, message: `${address} lies inside the ${what} ${cidr}` });
      }
    }
  }
  return problems;
}
