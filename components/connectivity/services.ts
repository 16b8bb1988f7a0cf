import { z } from "zod";
import { endpointsOf, isReady, type KubeClient, podsOf } from "../kubernetes/client";
import type { SeenService } from "./facts";
import type { CheckInput } from "./input";
import { waitFor } from "./wait";

/** Seconds that endpoints get to follow pods, with a delay of their own; a difference that lasts is one. */
const SETTLE_SECONDS = 3;

const liveService = z.looseObject({
  spec: z.looseObject({ selector: z.record(z.string(), z.string()).optional() }),
});

/** Looks at a Service of the program: what it selects, its pods and its endpoints. */
export async function lookAt(client: KubeClient, declared: CheckInput["services"][number]): Promise<SeenService> {
  const { namespace, name, selector } = declared;
  let seen: SeenService = { name: `${namespace}/${name}`, selector: undefined, pods: [], endpoints: [] };
  await waitFor(async () => {
    try {
      const [service, pods, endpoints] = await Promise.all([
        client.get(`/api/v1/namespaces/${namespace}/services/${name}`, liveService),
        podsOf(client, namespace, selector),
        endpointsOf(client, namespace, name),
      ]);
      seen = {
        name: `${namespace}/${name}`,
        selector: service.spec.selector,
        pods: pods.filter(isReady).map(({ metadata }) => metadata.name),
        endpoints: endpoints.map(({ pod, address }) => pod ?? address),
      };
    } catch {
      return false;
    }
    return seen.pods.length > 0 && [...seen.pods].sort().join() === [...seen.endpoints].sort().join();
  }, SETTLE_SECONDS);
  return seen;
}
