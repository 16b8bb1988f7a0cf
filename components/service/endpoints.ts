import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../args/validate";
import { endpointsOf, isReady, isRunning, KubeClient, type Pod, podsOf } from "../kubernetes/client";
import { isHopeless, laggards, nodesOf, reasonOf } from "../kubernetes/reason";
import { endpointsInput, type EndpointsInput } from "./input";
import { deploymentOf, judgeRollout } from "./rollout";
import { judgeEndpoints } from "./selector";

/** A service as it was seen at one moment. */
interface Seen {
  /** Names of its endpoints. */
  readonly names: string[];
  /** Why to wait longer; nothing where all is well. */
  readonly wait?: string | undefined;
  /** Pods that are waited for. */
  readonly lagging: readonly Pod[];
}

/**
 * Waits until a service's workload is as declared and its endpoints are its ready pods, and returns their names. Throws when they
 * are not, first with the cause that the nodes and the API server know; at once where waiting cannot help.
 */
export async function waitForEndpoints(input: EndpointsInput): Promise<string[]> {
  const client = new KubeClient(input.kubeconfig);
  const deadline = Date.now() + input.timeout * 1000;
  try {
    for (;;) {
      const { names, wait, lagging } = await look(client, input);
      if (wait === undefined) {
        return names.sort();
      }
      const hopeless = lagging.some(isHopeless);
      if (hopeless || Date.now() > deadline) {
        const causes = await causesOf(client, lagging);
        const waited = hopeless ? "which no waiting mends" : `waited ${String(input.timeout)} s`;
        throw new Error([...causes, `${wait} (${waited})`].join("; "));
      }
      await sleep(250);
    }
  } finally {
    client.close();
  }
}

async function look(client: KubeClient, input: EndpointsInput): Promise<Seen> {
  const { namespace, name, selector, replicas, publishNotReadyAddresses } = input;
  let seen: [Pod[], { address: string; pod?: string | undefined }[], string | undefined];
  try {
    seen = await Promise.all([
      podsOf(client, namespace, selector, publishNotReadyAddresses),
      endpointsOf(client, namespace, name),
      replicas === undefined
        ? undefined
        : deploymentOf(client, namespace, name).then(
            (one) => judgeRollout(`deployment ${namespace}/${name}`, replicas, one),
            // What is wrong with the selector is wrong without a Deployment too.
            messageOf,
          ),
    ]);
  } catch (error) {
    return { names: [], wait: messageOf(error), lagging: [] };
  }
  const [pods, endpoints, rollout] = seen;
  const names = endpoints.map(({ pod, address }) => pod ?? address);
  const { wrong, wait } = judgeEndpoints(
    input,
    pods.map((pod) => ({
      name: pod.metadata.name,
      labels: pod.metadata.labels,
      ready: isReady(pod),
      running: isRunning(pod),
    })),
    names,
  );
  if (wrong !== undefined) {
    throw new Error(wrong);
  }
  return { names, wait: rollout ?? wait, lagging: laggards(pods) };
}

/** Pods whose causes a message names one by one. */
const NAMED = 5;

async function causesOf(client: KubeClient, lagging: readonly Pod[]): Promise<string[]> {
  try {
    const nodes = await nodesOf(client);
    return await Promise.all(lagging.slice(0, NAMED).map((pod) => reasonOf(client, pod, nodes)));
  } catch {
    // What the service itself lacks is said all the same.
    return [];
  }
}

/** The command `endpoints`: reads its input as JSON and prints the names of the endpoints. */
export async function endpointsCommand(text: string): Promise<void> {
  const endpoints = await waitForEndpoints(endpointsInput.parse(JSON.parse(text)));
  console.log(JSON.stringify({ endpoints }));
}
