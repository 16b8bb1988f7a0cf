import { setTimeout as sleep } from "node:timers/promises";
import { grouped } from "../args/grouped";
import { own } from "../args/own";
import { messageOf } from "../args/validate";
import { OutOfTime, waitUntil } from "../args/wait";
import { hasEnded, isReady, type KubeClient, type Pod, podsOf } from "../kubernetes/client";
import { laggards, nodesOf, nodeTroubles, reasonOf, warningAbout } from "../kubernetes/reason";
import { type Discovered, discover } from "./discover";
import type { CheckInput } from "./input";
import { type Probe, PROBE_LABEL, PROBE_NAMESPACE, PROBES } from "./probes";
import type { ProbePod } from "./request";
import type { Shell } from "../machine/shell";
import { waitFor } from "./wait";

/** Tells what the run is doing. */
export type Say = (line: string) => void;

/** Milliseconds that the API server's view of the probes may lag behind the nodes. */
const SETTLE_MS = 60_000;

/** Milliseconds for which an API server may refuse or be silent before it counts as gone: it may have just started. */
export const SILENCE_MS = 20_000;

/** Seconds that the cluster's DNS gets to become ready; after that it is asked as it is. */
const DNS_SECONDS = 60;

/**
 * The ready probes and, where the nodes can be looked at, their processes. After a reboot the API server tells for some seconds what was before it, so both
 * are read until they agree; what still disagrees after that is for the judge.
 */
export async function settledProbes(
  client: KubeClient,
  shells: ReadonlyMap<string, Shell>,
  input: CheckInput,
  say: Say,
): Promise<{ pods: ProbePod[] } & Discovered> {
  if (input.podsAlone) {
    const addresses = Object.fromEntries(
      Object.entries(input.nodes).map(([node, { internalIp }]) => [node, [internalIp]]),
    );
    return { pods: await readyProbes(client, input, say), seen: {}, addresses, up: Infinity };
  }
  const deadline = Date.now() + SETTLE_MS;
  for (;;) {
    const pods = await readyProbes(client, input, say);
    const discovered = await discover(shells);
    const { seen } = discovered;
    const odd = pods.find(({ probe, node, name, ip }) => {
      const process = own(seen, node)?.find((candidate) => candidate.probe === probe && candidate.podName === name);
      return !process || (probe !== "probe-host" && !process.interfaceIps.includes(ip));
    });
    if (!odd || Date.now() > deadline) {
      return { pods, ...discovered };
    }
    say(`waiting for ${odd.probe} on ${odd.node} to be as the API server has it`);
    await sleep(1000);
  }
}

/** A probe that is not ready, and the pod that should be it, where there is one. */
interface Missing {
  readonly probe: Probe;
  readonly node: string;
  readonly pod?: Pod | undefined;
}

/** Waits for the probes of every node, or throws with what is missing and the cause that the nodes and the API know. */
async function readyProbes(client: KubeClient, input: CheckInput, say: Say): Promise<ProbePod[]> {
  let failure = "";
  let said = "";
  let pods: ProbePod[] = [];
  let missing: Missing[] = [];
  let answered = Date.now();
  const ready = await waitFor(async () => {
    try {
      ({ pods, missing } = sortOut(await podsOf(client, PROBE_NAMESPACE, {}), Object.keys(input.nodes)));
      failure = "";
      answered = Date.now();
      const names = missing.map(({ probe, node }) => `${probe} on ${node}`).join(", ");
      if (missing.length > 0 && names !== said) {
        said = names;
        const [cause] = await causesOf(client, missing.slice(0, 1));
        say(`waiting for ${String(missing.length)} probes: ${cause ?? names}`);
      }
      return missing.length === 0;
    } catch (error) {
      failure = messageOf(error);
      if (Date.now() - answered > SILENCE_MS) {
        throw new Error(`no probe can be looked for: ${failure}`, { cause: error });
      }
      return false;
    }
  }, input.readyTimeout);
  if (!ready) {
    const causes = failure === "" ? await causesOf(client, missing) : [failure];
    throw new Error(`probes are not ready after ${String(input.readyTimeout)} s: ${causes.join("; ")}`);
  }
  return pods;
}

/** The ready probes among all pods of their namespace, and those that are missing. */
function sortOut(all: readonly Pod[], nodes: readonly string[]): { pods: ProbePod[]; missing: Missing[] } {
  const missing: Missing[] = [];
  const byNode = grouped(all, ({ spec }) => spec.nodeName);
  const pods = nodes.flatMap((node) =>
    PROBES.flatMap((probe) => {
      const candidates = (byNode.get(node) ?? []).filter(({ metadata }) => metadata.labels[PROBE_LABEL] === probe);
      const good = candidates.find((pod) => isReady(pod) && pod.status.podIP !== undefined);
      if (!good) {
        // One that was evicted stays beside the one that came in its place.
        missing.push({ probe, node, pod: candidates.find((pod) => !hasEnded(pod)) ?? candidates.at(-1) });
        return [];
      }
      return [{ probe, node, name: good.metadata.name, ip: good.status.podIP ?? "" }];
    }),
  );
  return { pods, missing };
}

/** Why probes are missing, each cause once, however many probes of a node it keeps away. */
async function causesOf(client: KubeClient, missing: readonly Missing[]): Promise<string[]> {
  const nodes = await nodesOf(client);
  const causes = await Promise.all(
    missing.map(async ({ probe, node, pod }) => {
      const known = nodes.get(node);
      if (known === undefined) {
        return [`${probe} on ${node}: the cluster has no node ${node}`];
      }
      const troubles = nodeTroubles(known);
      if (pod) {
        return [...troubles, await reasonOf(client, pod)];
      }
      const warning = await warningAbout(client, PROBE_NAMESPACE, "DaemonSet", probe);
      return [...troubles, `${probe} on ${node}: ${warning ?? "its DaemonSet has made no pod"}`];
    }),
  );
  // Nodes first: what is wrong with one is the cause of what is wrong with its pods.
  const all = [...new Set(causes.flat())];
  return [...all.filter((cause) => cause.startsWith("node ")), ...all.filter((cause) => !cause.startsWith("node "))];
}

/** What is known of the cluster's DNS. */
export interface SeenDns {
  /** Names of the nodes that run it. */
  readonly nodes: readonly string[];
  /** Its ready pods. */
  readonly pods: readonly { readonly name: string; readonly node: string; readonly ip: string }[];
  /** Why it does not answer, where that is known. */
  readonly trouble?: string | undefined;
}

/**
 * The cluster's DNS. A new cluster's starts when its first node is Ready, so it is waited for: that it is not up yet says nothing
 * about the network.
 */
export async function readyDns(client: KubeClient, say: Say): Promise<SeenDns> {
  let pods: Pod[] = [];
  let trouble: string | undefined;
  try {
    // A look reads the reason too, so there are fewer of them than by default.
    await waitUntil({ what: "the cluster's DNS is not ready", seconds: DNS_SECONDS, everyMs: 250, say }, async () => {
      pods = await podsOf(client, "kube-system", { "k8s-app": "kube-dns" });
      const living = pods.filter((pod) => !hasEnded(pod));
      if (living.length > 0 && living.every(isReady)) {
        return { value: true };
      }
      trouble = await dnsTrouble(client, laggards(pods));
      return { reason: trouble };
    });
  } catch (error) {
    if (!(error instanceof OutOfTime)) {
      throw error;
    }
  }
  const ready = pods.filter(isReady).map(({ metadata, spec, status }) => ({
    name: metadata.name,
    node: spec.nodeName ?? "",
    ip: status.podIP ?? "",
  }));
  const nodes = [...new Set(ready.map(({ node }) => node))];
  return { nodes, pods: ready, ...(nodes.length === 0 && { trouble }) };
}

async function dnsTrouble(client: KubeClient, [pod]: readonly Pod[]): Promise<string> {
  if (pod) {
    return reasonOf(client, pod, await nodesOf(client));
  }
  const warning = await warningAbout(client, "kube-system", "Deployment", "coredns");
  return warning ?? "the cluster runs no DNS: no pod in kube-system has the label k8s-app=kube-dns";
}
