import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../args/validate";
import { type Endpoint, endpointsOf, isReady, isRunning, KubeClient, type Pod, podsOf } from "../kubernetes/client";
import { isHopeless, laggards, nodesOf, reasonOf } from "../kubernetes/reason";
import { endpointsInput, type EndpointsInput } from "./input";
import { type DeploymentObject, deploymentOf, judgeRollout, presentPods } from "./rollout";
import { judgeEndpoints } from "./selector";

/** A service as it was seen at one moment. */
interface Seen {
  /** Names of its endpoints. */
  readonly names: string[];
  /** Why to wait longer; nothing where all is well. */
  readonly wait?: string | undefined;
  /** Pods that are waited for. */
  readonly lagging: readonly Pod[];
  /** Whether one of them never becomes ready, whatever is waited. */
  readonly hopeless: boolean;
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
      const { names, wait, lagging, hopeless } = await look(client, input);
      if (wait === undefined) {
        return names.sort();
      }
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
  let seen: [Pod[], Endpoint[], DeploymentObject | string | undefined];
  try {
    seen = await Promise.all([
      podsOf(client, namespace, selector, publishNotReadyAddresses),
      endpointsOf(client, namespace, name),
      replicas === undefined
        ? undefined
        : // What is wrong with the selector is wrong without a Deployment too.
          deploymentOf(client, namespace, name).catch(messageOf),
    ]);
  } catch (error) {
    return { names: [], wait: messageOf(error), lagging: [], hopeless: false };
  }
  const [pods, endpoints, deployment] = seen;
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
  const rollout =
    typeof deployment === "object"
      ? judgeRollout(`deployment ${namespace}/${name}`, replicas ?? 0, deployment)
      : deployment;
  // Somebody else's pods, and those of an earlier form, may be mended while they are waited for.
  const present = typeof deployment === "object" ? laggards(presentPods(deployment, pods)) : [];
  return {
    names,
    wait: rollout ?? wait,
    lagging: present.length > 0 ? present : laggards(pods),
    hopeless: present.some(isHopeless),
  };
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
