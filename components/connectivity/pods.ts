import { hasEnded, type KubeClient, podList } from "../kubernetes/client";
import { waitFor } from "./wait";

/** A pod of the cluster on the pod network, as the API tells of it. */
export interface ListedPod {
  /** Its namespace and name, as `namespace/name`. */
  readonly name: string;
  readonly node: string;
  readonly ip: string;
}

/** Seconds for which pods with one address are looked at again: one of them may just be on its way out. */
const SETTLE_SECONDS = 2;

/**
 * All pods of the cluster that have an address on the pod network: not those that ended, are on their way out or have the node's.
 * Where two have the same, what the last look finds counts.
 */
export async function podsOfCluster(client: KubeClient): Promise<ListedPod[]> {
  let pods: ListedPod[] = [];
  await waitFor(async () => {
    pods = await listed(client);
    return new Set(pods.map(({ ip }) => ip)).size === pods.length;
  }, SETTLE_SECONDS);
  return pods;
}

async function listed(client: KubeClient): Promise<ListedPod[]> {
  const { items } = await client.get("/api/v1/pods", podList);
  return items.flatMap((pod) => {
    const { metadata, spec, status } = pod;
    return spec.hostNetwork === true ||
      hasEnded(pod) ||
      metadata.deletionTimestamp !== undefined ||
      status.podIP === undefined
      ? []
      : [{ name: `${metadata.namespace}/${metadata.name}`, node: spec.nodeName ?? "", ip: status.podIP }];
  });
}
