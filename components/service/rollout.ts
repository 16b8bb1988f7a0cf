import { z } from "zod";
import type { KubeClient, Pod } from "../kubernetes/client";

const deployment = z.looseObject({
  metadata: z.looseObject({ generation: z.number().default(0) }),
  spec: z.looseObject({
    template: z.looseObject({ spec: z.looseObject({ containers: z.array(z.looseObject({ image: z.string() })) }) }),
  }),
  status: z
    .looseObject({
      observedGeneration: z.number().default(0),
      replicas: z.number().default(0),
      updatedReplicas: z.number().default(0),
      conditions: z
        .array(z.looseObject({ type: z.string(), status: z.string(), message: z.string().optional() }))
        .default([]),
    })
    .prefault({}),
});

/** The fields of a Deployment that podnet reads. */
export type DeploymentObject = z.output<typeof deployment>;

/** The Deployment of a service's own workload. */
export function deploymentOf(client: KubeClient, namespace: string, name: string): Promise<DeploymentObject> {
  return client.get(`/apis/apps/v1/namespaces/${namespace}/deployments/${name}`, deployment);
}

/**
 * What a Deployment still has to do until its pods are all as it is declared now: pods of its earlier form are ready too, and
 * would be taken for the new ones. Nothing where it is done.
 */
export function judgeRollout(
  where: string,
  replicas: number,
  { metadata, status }: DeploymentObject,
): string | undefined {
  const refused = status.conditions.find(({ type, status: value }) => type === "ReplicaFailure" && value === "True");
  if (refused) {
    return `${where}: its pods are refused: ${refused.message ?? "no reason is given"}`;
  }
  if (status.observedGeneration < metadata.generation) {
    return `${where}: its controller has not seen the change yet`;
  }
  if (status.updatedReplicas < replicas) {
    return `${where}: ${String(status.updatedReplicas)} of ${String(replicas)} pods are as declared now`;
  }
  const old = status.replicas - status.updatedReplicas;
  return old > 0 ? `${where}: ${String(old)} pods of its earlier form are still there` : undefined;
}

/** The pods that run the images which a Deployment declares now: others are of its earlier form, and go when these are ready. */
export function presentPods({ spec }: Pick<DeploymentObject, "spec">, pods: readonly Pod[]): Pod[] {
  const declared = spec.template.spec.containers.map(({ image }) => image);
  return pods.filter((pod) => declared.every((image) => pod.spec.containers.some((one) => one.image === image)));
}
