import { z } from "zod";
import { own } from "../../args/own";
import { messageOf } from "../../args/validate";
import { endpointsOf, ifThere, isReady, isRunning, type KubeClient, podsOf } from "../../kubernetes/client";
import type { CheckedService } from "../../service/checked";
import type { Answer } from "../driver";
import type { Request } from "../request";
import type { SeenService } from "../topology";
import { waitFor } from "../wait";
import { serviceText } from "./requests";

/** Seconds that endpoints get to follow pods, with a delay of their own; a difference that lasts is one. */
const SETTLE_SECONDS = 3;

const liveService = z.looseObject({
  spec: z.looseObject({ selector: z.record(z.string(), z.string()).optional() }),
});

/**
 * Looks at a Service of the program: what it selects, its pods and its endpoints; undefined when it is not there. Throws when it
 * cannot look, which says nothing about the Service.
 */
export async function lookAt(client: KubeClient, declared: CheckedService): Promise<SeenService | undefined> {
  let seen: SeenService | undefined;
  let failure: unknown;
  await waitFor(async () => {
    try {
      seen = await lookOnce(client, declared);
      failure = undefined;
    } catch (error) {
      failure = error;
      return false;
    }
    return (
      seen !== undefined && seen.pods.length > 0 && [...seen.pods].sort().join() === [...seen.endpoints].sort().join()
    );
  }, SETTLE_SECONDS);
  if (failure !== undefined) {
    const where = `service ${declared.namespace}/${declared.name}`;
    throw new Error(`${where} cannot be looked at: ${messageOf(failure)}; when that is mended, run the check again`, {
      cause: failure,
    });
  }
  return seen;
}

/**
 * The requests that still mean something once they were made: without those to a pod that did not answer and is none of its Service's
 * ready pods any more. It was replaced, or ended, while the check asked.
 */
export async function withoutLeft(
  client: KubeClient,
  declared: readonly CheckedService[],
  requests: readonly Request[],
  answers: ReadonlyMap<string, Answer>,
): Promise<readonly Request[]> {
  const failed = requests.filter(
    ({ id, service, pod }) => service !== undefined && pod !== undefined && answers.get(id)?.ok !== true,
  );
  const concerned = declared.filter((one) => failed.some(({ service }) => service === serviceText(one)));
  const now = new Map(
    await Promise.all(concerned.map(async (one) => [serviceText(one), await lookAt(client, one)] as const)),
  );
  const left = new Set(
    failed.filter(({ service = "", pod = "" }) => own(now.get(service)?.places ?? {}, pod)?.ready !== true),
  );
  return left.size === 0 ? requests : requests.filter((request) => !left.has(request));
}

/** The requests that still mean something: without those to a server of the cluster's DNS that did not answer and is ready no more. */
export async function withoutLeftServers(
  client: KubeClient,
  requests: readonly Request[],
  answers: ReadonlyMap<string, Answer>,
): Promise<readonly Request[]> {
  const failed = requests.filter(
    ({ id, ask, pod }) => ask.kind === "resolve" && pod !== undefined && answers.get(id)?.ok !== true,
  );
  if (failed.length === 0) {
    return requests;
  }
  const ready = (await podsOf(client, "kube-system", { "k8s-app": "kube-dns" })).filter(isReady);
  const names = ready.map(({ metadata }) => metadata.name);
  const left = new Set(failed.filter(({ pod = "" }) => !names.includes(pod)));
  return requests.filter((request) => !left.has(request));
}

async function lookOnce(client: KubeClient, declared: CheckedService): Promise<SeenService | undefined> {
  const { namespace, name, selector, publishNotReadyAddresses } = declared;
  const [service, pods, endpoints] = await Promise.all([
    ifThere(client.get(`/api/v1/namespaces/${namespace}/services/${name}`, liveService)),
    podsOf(client, namespace, selector, publishNotReadyAddresses),
    endpointsOf(client, namespace, name),
  ]);
  if (!service) {
    return undefined;
  }
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
