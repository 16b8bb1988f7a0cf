import { z } from "zod";
import { endpointsOf, isReady, isRunning, type KubeClient, podsOf } from "../../kubernetes/client";
import type { CheckedService } from "../../service/checked";
import type { SeenService } from "../topology";
import { waitFor } from "../wait";

/** Seconds that endpoints get to follow pods, with a delay of their own; a difference that lasts is one. */
const SETTLE_SECONDS = 3;

const liveService = z.looseObject({
  spec: z.looseObject({ selector: z.record(z.string(), z.string()).optional() }),
});

/** Looks at a Service of the program: what it selects, its pods and its endpoints. */
export async function lookAt(client: KubeClient, declared: CheckedService): Promise<SeenService> {
  let seen: SeenService = {
    name: `${declared.namespace}/${declared.name}`,
    selector: undefined,
    pods: [],
    endpoints: [],
    places: {},
  };
  await waitFor(async () => {
    try {
      seen = await lookOnce(client, declared);
    } catch {
      return false;
    }
    return seen.pods.length > 0 && [...seen.pods].sort().join() === [...seen.endpoints].sort().join();
  }, SETTLE_SECONDS);
  return seen;
}

async function lookOnce(client: KubeClient, declared: CheckedService): Promise<SeenService> {
  const { namespace, name, selector, publishNotReadyAddresses } = declared;
  const [service, pods, endpoints] = await Promise.all([
    client.get(`/api/v1/namespaces/${namespace}/services/${name}`, liveService),
    podsOf(client, namespace, selector, publishNotReadyAddresses),
    endpointsOf(client, namespace, name),
  ]);
  const published = pods.filter(publishNotReadyAddresses ? isRunning : isReady);
  return {
    name: `${namespace}/${name}`,
    selector: service.spec.selector,
    pods: published.map(({ metadata }) => metadata.name),
    endpoints: endpoints.map(({ pod, address }) => pod ?? address),
    places: Object.fromEntries(
      published.map((pod) => [
        pod.metadata.name,
        { node: pod.spec.nodeName ?? "", ip: pod.status.podIP ?? "", ready: isReady(pod) },
      ]),
    ),
  };
}
