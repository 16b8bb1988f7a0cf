import { endpointsOf, type KubeClient, podsOf } from "../kubernetes/client";
import { PROBE_NAMESPACE } from "./probes";
import type { ProbePod } from "./request";
import { waitFor } from "./wait";

/** Seconds that endpoints may take to follow the pods' labels. */
const ENDPOINT_SECONDS = 10;

/** Path of a probe's pod in the API. */
export const podPath = (name: string): string => `/api/v1/namespaces/${PROBE_NAMESPACE}/pods/${name}`;

/** Names of the pods behind one of the check's own Services, sorted. */
export async function membersOf(client: KubeClient, service: string): Promise<string[]> {
  const found = await endpointsOf(client, PROBE_NAMESPACE, service);
  return found.map(({ pod, address }) => pod ?? address).sort();
}

/** Waits until these pods, and no other, are behind one of the check's own Services; returns those that are at last. */
export async function waitForMembers(client: KubeClient, service: string, names: readonly string[]): Promise<string[]> {
  let found: string[] = [];
  await waitFor(async () => {
    found = await membersOf(client, service);
    return found.join() === [...names].sort().join();
  }, ENDPOINT_SECONDS);
  return found;
}

/** Gives probes the labels that the check's own Services select by, where they do not have them, and takes off those that are null. */
export async function labelProbes(
  client: KubeClient,
  pods: readonly ProbePod[],
  labelsOf: (pod: ProbePod) => Readonly<Record<string, string | null>>,
): Promise<void> {
  const all = new Map(
    (await podsOf(client, PROBE_NAMESPACE, {})).map(({ metadata }) => [metadata.name, metadata.labels]),
  );
  await Promise.all(
    pods.map(async (pod) => {
      const labels = labelsOf(pod);
      const now = all.get(pod.name) ?? {};
      if (Object.entries(labels).some(([key, value]) => (now[key] ?? null) !== value)) {
        await client.patch(podPath(pod.name), { metadata: { labels } });
      }
    }),
  );
}
