import { text } from "node:stream/consumers";
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

async function main(): Promise<void> {
  const input = endpointsInput.parse(JSON.parse(await text(process.stdin)));
  try {
    const endpoints = await waitForEndpoints(input);
    console.log(JSON.stringify({ endpoints }));
  } catch (error) {
    console.error(messageOf(error));
    process.exitCode = 1;
  }
}

if (require.main === module) {
  void main();
}
