import * as apps from "@pulumi/kubernetes/apps/v1";
import * as core from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import type { NetworkDefinition } from "../definition";
import type { AgentObjects } from "../objects";
import type { FlannelBackend } from "./definition";
import { FLANNEL_RULES, flannelFiles, flannelTemplate } from "./manifest";

/** Makes flannel's objects as its project's manifest has them: Namespace, account, ConfigMap and DaemonSet. */
export function flannelObjects(
  agents: AgentObjects,
  definition: pulumi.Output<NetworkDefinition>,
  settings: pulumi.Output<{ readonly backend: FlannelBackend; readonly mtu?: number | undefined }>,
): pulumi.Resource[] {
  const { name, cluster, prepared, options } = agents;
  const files = pulumi
    .all([settings, cluster.podCidr])
    .apply(([{ backend, mtu }, podCidr]) => flannelFiles({ podCidr, backend, mtu }));
  const labels = { "k8s-app": "flannel" };
  const namespace = new core.Namespace(
    `${name}-namespace`,
    {
      metadata: { name: "kube-flannel", labels: { ...labels, "pod-security.kubernetes.io/enforce": "privileged" } },
    },
    options,
  ).metadata.name;
  const account = agents.account("flannel", namespace, FLANNEL_RULES, labels);
  const config = new core.ConfigMap(
    `${name}-config`,
    {
      metadata: { name: "kube-flannel-cfg", namespace, labels: { ...labels, tier: "node", app: "flannel" } },
      data: files,
    },
    options,
  );
  const agent = new apps.DaemonSet(
    `${name}-agent`,
    {
      metadata: agents.workload("kube-flannel-ds", namespace, { ...labels, tier: "node", app: "flannel" }),
      spec: {
        selector: { matchLabels: { app: "flannel" } },
        updateStrategy: { rollingUpdate: { maxUnavailable: "100%" } },
        template: pulumi.all([definition, files]).apply(([known, text]) => flannelTemplate(known, text)),
      },
    },
    { ...options, dependsOn: [...prepared.commands, ...account, config] },
  );
  return [agent];
}
