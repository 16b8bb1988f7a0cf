import { nameOf, type ProbePod } from "../request";
import type { Claim, JudgedBy, Verdict } from "./claim";

/** A pod's own view of its address is its node's and the others' view; it asks nothing of its own. */
export const podIp = {
  id: "pod-ip",
  title: "the address a pod knows is the one it has and others see",
  waitsOn: ["no-nat"],
  needsNodes: "to see the address of a pod's own interface",
  requests: () => [],
  judge: (facts) => {
    const misseen = new Map<string, Verdict>();
    for (const verdict of facts.verdictsOf("no-nat").filter(({ status }) => status === "failed")) {
      misseen.set(verdict.source, misseen.get(verdict.source) ?? verdict);
    }
    return facts.topology.onPodNetwork.map((pod) => judgeOne(pod, facts, misseen));
  },
} as const satisfies Claim;

function judgeOne(pod: ProbePod, { observations }: JudgedBy, misseenBy: ReadonlyMap<string, Verdict>): Verdict {
  const source = nameOf(pod.node, pod.probe);
  const expected = `${source} has ${pod.ip} in its status, its environment and on its interface`;
  const about = { source, target: source, expected };
  const process = observations.seen[pod.node]?.find(
    ({ probe, podName }) => probe === pod.probe && podName === pod.name,
  );
  if (!process) {
    return { ...about, status: "failed", seen: "no process of it on its node" };
  }
  const views = [process.downwardIp, ...process.interfaceIps];
  if (views.length < 2 || views.some((view) => view !== pod.ip)) {
    const onInterface = process.interfaceIps.join(" ") || "none";
    return {
      ...about,
      status: "failed",
      seen: `${process.downwardIp} in its environment, ${onInterface} on its interface`,
    };
  }
  const misseen = misseenBy.get(source);
  return misseen
    ? { ...about, status: "blocked", seen: `no-nat from ${source} to ${misseen.target} failed` }
    : { ...about, status: "passed", seen: views.join(", ") };
}
