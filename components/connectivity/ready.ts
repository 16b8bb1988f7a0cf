import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../args/validate";
import { isReady, type KubeClient, type Pod, podsOf } from "../kubernetes/client";
import { type Discovered, discover } from "./discover";
import type { CheckInput } from "./input";
import { PROBE_LABEL, PROBE_NAMESPACE, PROBES } from "./probes";
import type { ProbePod } from "./request";
import type { Shell } from "../machine/shell";
import { waitFor } from "./wait";

/** Tells what the run is doing. */
export type Say = (line: string) => void;

/** Milliseconds that the API server's view of the probes may lag behind the nodes. */
const SETTLE_MS = 60_000;

/** Seconds that the cluster's DNS gets to become ready; after that it is asked as it is. */
const DNS_SECONDS = 60;

/**
 * The ready probes and their processes. After a reboot the API server tells for some seconds what was before it, so both
 * are read until they agree; what still disagrees after that is for the judge.
 */
export async function settledProbes(
  client: KubeClient,
  shells: ReadonlyMap<string, Shell>,
  input: CheckInput,
  say: Say,
): Promise<{ pods: ProbePod[] } & Discovered> {
  const deadline = Date.now() + SETTLE_MS;
  for (;;) {
    const pods = await readyProbes(client, input, say);
    const discovered = await discover(shells);
    const { seen } = discovered;
    const odd = pods.find(({ probe, node, name, ip }) => {
      const process = seen[node]?.find((candidate) => candidate.probe === probe && candidate.podName === name);
      return !process || (probe !== "probe-host" && !process.interfaceIps.includes(ip));
    });
    if (!odd || Date.now() > deadline) {
      return { pods, ...discovered };
    }
    say(`waiting for ${odd.probe} on ${odd.node} to be as the API server has it`);
    await sleep(1000);
  }
}

/** Waits for the probes of every node, or throws with what is missing. */
async function readyProbes(client: KubeClient, input: CheckInput, say: Say): Promise<ProbePod[]> {
  let reason = "";
  let said = "";
  let pods: ProbePod[] = [];
  const ready = await waitFor(async () => {
    try {
      const found = sortOut(await podsOf(client, PROBE_NAMESPACE, {}), Object.keys(input.nodes));
      const { missing } = found;
      reason = missing.join("; ");
      pods = found.pods;
      if (missing.length > 0 && reason !== said) {
        said = reason;
        say(`waiting for ${String(missing.length)} probes: ${missing[0] ?? ""}`);
      }
      return missing.length === 0;
    } catch (error) {
      reason = messageOf(error);
      return false;
    }
  }, input.readyTimeout);
  if (!ready) {
    throw new Error(`probes are not ready after ${String(input.readyTimeout)} s: ${reason}`);
  }
  return pods;
}

/** The ready probes among all pods of their namespace, and what is missing and why. */
function sortOut(all: readonly Pod[], nodes: readonly string[]): { pods: ProbePod[]; missing: string[] } {
  const missing: string[] = [];
  const pods = nodes.flatMap((node) =>
    PROBES.flatMap((probe) => {
      const candidates = all.filter(
        ({ metadata, spec }) => metadata.labels[PROBE_LABEL] === probe && spec.nodeName === node,
      );
      const good = candidates.find((pod) => isReady(pod) && pod.status.podIP !== undefined);
      if (!good) {
        missing.push(`${probe} on ${node}: ${whyNot(candidates[0])}`);
        return [];
      }
      return [{ probe, node, name: good.metadata.name, ip: good.status.podIP ?? "" }];
    }),
  );
  return { pods, missing };
}

function whyNot(pod: Pod | undefined): string {
  if (!pod) {
    return "not created";
  }
  const waiting = pod.status.containerStatuses.map(({ state }) => state.waiting).find((state) => state !== undefined);
  const text = [waiting?.reason, waiting?.message].filter((part) => part !== undefined).join(": ");
  return text === "" ? (pod.status.phase ?? "unknown") : text;
}

/**
 * Names of the nodes that run the cluster's DNS. A new cluster's DNS starts when its first node is Ready, so it is waited
 * for: that it is not up yet says nothing about the network.
 */
export async function readyDnsNodes(client: KubeClient): Promise<string[]> {
  let pods: Pod[] = [];
  await waitFor(async () => {
    pods = await podsOf(client, "kube-system", { "k8s-app": "kube-dns" });
    return pods.length > 0 && pods.every(isReady);
  }, DNS_SECONDS);
  return [...new Set(pods.filter(isReady).map(({ spec }) => spec.nodeName ?? ""))];
}
