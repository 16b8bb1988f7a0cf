import { grouped } from "../../args/grouped";
import { contains, parseIpv4, parseCidr } from "../../args/ipv4";
import type { ListedPod } from "../pods";
import type { Claim, Verdict } from "./claim";
import type { Topology } from "../topology";

/** No two pods of the cluster have one address, and each has one of its own node's pod CIDR. It asks nothing of the network. */
export const addresses = {
  id: "addresses",
  title: "every pod has an address of its own, inside its node's pod CIDR",
  waitsOn: [],
  requests: () => [],
  judge: ({ topology, observations: { pods } }) => {
    const byNode = grouped(pods, ({ node }) => node);
    const byIp = grouped(pods, ({ ip }) => ip);
    return topology.nodes.flatMap((node) => [
      judgeOne(node, byNode.get(node) ?? [], byIp, topology),
      ...(topology.input.nodes[node]?.podCidr === undefined ? [outsideUnknown(node)] : []),
    ]);
  },
} as const satisfies Claim;

function judgeOne(
  node: string,
  own: readonly ListedPod[],
  byIp: ReadonlyMap<string, readonly ListedPod[]>,
  { input }: Topology,
): Verdict {
  const { podCidr } = input.nodes[node] ?? {};
  const shared = own.flatMap(({ ip }) => sharedBy(ip, byIp.get(ip) ?? []));
  const cidr = podCidr === undefined ? undefined : parseCidr(podCidr);
  const outside = own
    .filter(({ ip }) => cidr !== undefined && !contains(cidr, parseIpv4(ip)))
    .map(({ name, ip }) => `${name} has ${ip}`);
  const problems = [...new Set([...shared, ...outside])];
  return {
    source: node,
    target: "pods",
    status: problems.length === 0 ? "passed" : "failed",
    expected: `each of its ${String(own.length)} pods has an address ${podCidr === undefined ? "" : `of ${podCidr} `}that no other pod has`,
    seen: problems.length === 0 ? "it is so" : problems.join("; "),
  };
}

/** What is said where podnet did not give a node its pod CIDR. */
export function outsideUnknown(node: string): Verdict {
  return {
    source: node,
    target: "pod CIDR",
    status: "not-applicable",
    expected: "addresses of the node's pod CIDR",
    seen: "whether the addresses are of the node's pod CIDR: podnet did not make this cluster, and does not know who gives them out",
  };
}

/** The pods that have one address, told once, in the order of their names. */
function sharedBy(ip: string, pods: readonly ListedPod[]): string[] {
  const names = pods.map(({ name, node }) => `${name} on ${node}`).sort();
  return names.length > 1 ? [`${ip} is the address of ${names.join(" and of ")}`] : [];
}
