import { setTimeout as sleep } from "node:timers/promises";
import { endpointsOf, isReady, isRunning, KubeClient, podsOf } from "../kubernetes/client";
import { endpointsInput, type EndpointsInput } from "./input";
import { judgeEndpoints } from "./selector";
import { messageOf } from "../args/validate";

/** Waits until a service's endpoints are its ready pods and returns their names. Throws with the reason when they are not. */
export async function waitForEndpoints(input: EndpointsInput): Promise<string[]> {
  const client = new KubeClient(input.kubeconfig);
  const deadline = Date.now() + input.timeout * 1000;
  try {
    for (;;) {
      let reason: string;
      try {
        const [pods, endpoints] = await Promise.all([
          podsOf(client, input.namespace, input.selector, input.publishNotReadyAddresses),
          endpointsOf(client, input.namespace, input.name),
        ]);
        const names = endpoints.map(({ pod, address }) => pod ?? address);
        const seen = pods.map((pod) => ({
          name: pod.metadata.name,
          labels: pod.metadata.labels,
          ready: isReady(pod),
          running: isRunning(pod),
        }));
        const { wrong, wait } = judgeEndpoints(input, seen, names);
        if (wrong !== undefined) {
          throw new Wrong(wrong);
        }
        if (wait === undefined) {
          return names.sort();
        }
        reason = wait;
      } catch (error) {
        if (error instanceof Wrong) {
          throw error;
        }
        reason = messageOf(error);
      }
      if (Date.now() > deadline) {
        throw new Error(`${reason} (waited ${String(input.timeout)} s)`);
      }
      await sleep(250);
    }
  } finally {
    client.close();
  }
}

class Wrong extends Error {}

/** The command `endpoints`: reads its input as JSON and prints the names of the endpoints. */
export async function endpointsCommand(text: string): Promise<void> {
  const endpoints = await waitForEndpoints(endpointsInput.parse(JSON.parse(text)));
  console.log(JSON.stringify({ endpoints }));
}
