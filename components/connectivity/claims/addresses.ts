import { contains, parseIpv4, parseCidr } from "../../args/ipv4";
import type { ListedPod } from "../pods";
import type { Claim, JudgedBy, Verdict } from "./claim";

/** No two pods of the cluster have one address, and each has one of its own node's pod CIDR. It asks nothing of the network. */
export const addresses = {
  id: "addresses",
  title: "every pod has an address of its own, inside its node's pod CIDR",
  waitsOn: [],
  requests: () => [],
  judge: (facts) => facts.topology.nodes.map((node) => judgeOne(node, facts)),
} as const satisfies Claim;

function judgeOne(node: string, { topology, observations }: JudgedBy): Verdict {
  const { podCidr } = topology.input.nodes[node] ?? {};
  const own = observations.pods.filter((pod) => pod.node === node);
  const shared = own.flatMap((pod) => sharedBy(pod, observations.pods));
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

/** The pods that have a pod's address too, told once, in the order of their names. */
function sharedBy(pod: ListedPod, all: readonly ListedPod[]): string[] {
  const same = all.filter(({ ip }) => ip === pod.ip);
  const names = same.map(({ name, node }) => `${name} on ${node}`).sort();
  return same.length > 1 ? [`${pod.ip} is the address of ${names.join(" and of ")}`] : [];
}
