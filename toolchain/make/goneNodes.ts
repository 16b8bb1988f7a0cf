import { messageOf } from "../../components/args/validate";
import { type Look, waitUntil } from "../../components/args/wait";
import { KubeClient } from "../../components/kubernetes/client";

/** Seconds that the API server may take to answer after its node was mended. */
const API_SECONDS = 60;

/**
 * Takes nodes whose machines are gone out of a cluster, by its kubeconfig. The control plane takes 40 s to notice by itself, and
 * until then kubeadm lets no new machine of that name join.
 */
export async function removeGoneNodes(
  kubeconfig: string,
  names: readonly string[],
  say: (line: string) => void,
): Promise<void> {
  const client = new KubeClient(kubeconfig);
  try {
    for (const name of names) {
      const what = `the API server does not let go of the node ${name}, whose machine is gone`;
      await waitUntil({ what, seconds: API_SECONDS, everyMs: 500, say }, async (): Promise<Look<true>> => {
        try {
          await client.delete(`/api/v1/nodes/${name}`);
          return { value: true };
        } catch (error) {
          return { reason: messageOf(error) };
        }
      });
    }
  } finally {
    client.close();
  }
}
