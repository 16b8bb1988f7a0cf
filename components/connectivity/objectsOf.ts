import * as apps from "@pulumi/kubernetes/apps/v1";
import * as core from "@pulumi/kubernetes/core/v1";
import type * as pulumi from "@pulumi/pulumi";
import { known } from "../args/known";
import { daemonSetSpec, namespaceLabels, probeServices } from "./objects";
import { PROBE_NAMESPACE, PROBES } from "./probes";

/** The check's objects in a cluster, as resources. */
export interface CheckObjects {
  readonly daemonSets: readonly pulumi.Resource[];
  /** ClusterIP of each of its Services, by name. */
  readonly clusterIps: Readonly<Record<string, pulumi.Output<string>>>;
}

/** Makes the check's objects; `after` has to be there before them, and goes after they are gone. */
export function makeObjects(
  name: string,
  options: pulumi.CustomResourceOptions,
  image: pulumi.Input<string>,
  after: readonly pulumi.Resource[],
): CheckObjects {
  const namespace = new core.Namespace(
    `${name}-namespace`,
    { metadata: { name: PROBE_NAMESPACE, labels: namespaceLabels("podnet") } },
    { ...options, dependsOn: [...after] },
  );
  const inNamespace = namespace.metadata.name;
  const daemonSets = PROBES.map(
    (probe) =>
      new apps.DaemonSet(
        `${name}-${probe}`,
        { metadata: { name: probe, namespace: inNamespace }, spec: daemonSetSpec(probe, image) },
        options,
      ),
  );
  const services = probeServices().map(({ name: serviceName, spec }) => {
    const metadata = { name: serviceName, namespace: inNamespace };
    const service = new core.Service(`${name}-${serviceName}`, { metadata, spec }, options);
    return [serviceName, known(service.spec.clusterIP)] as const;
  });
  return { daemonSets, clusterIps: Object.fromEntries(services) };
}
