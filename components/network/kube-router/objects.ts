import * as apps from "@pulumi/kubernetes/apps/v1";
import * as core from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import type { NetworkDefinition } from "../definition";
import type { AgentObjects } from "../objects";
import { KUBE_ROUTER_RULES, kubeRouterFiles, kubeRouterTemplate } from "./manifest";

/** Makes Kube-router's objects as its project's manifest for kubeadm has them: account, ConfigMap and DaemonSet. */
export function kubeRouterObjects(
  agents: AgentObjects,
  definition: pulumi.Output<NetworkDefinition>,
  settings: pulumi.Output<{ readonly mtu?: number | undefined }>,
): pulumi.Resource[] {
  const { name, cluster, prepared, options } = agents;
  const labels = { "k8s-app": "kube-router", tier: "node" };
  const namespace = "kube-system";
  const files = settings.apply(({ mtu }) => kubeRouterFiles({ mtu }));
  const account = agents.account("kube-router", namespace, KUBE_ROUTER_RULES, labels);
  const config = new core.ConfigMap(
    `${name}-config`,
    { metadata: { name: "kube-router-cfg", namespace, labels }, data: files },
    options,
  );
  const agent = new apps.DaemonSet(
    `${name}-agent`,
    {
      metadata: agents.workload("kube-router", namespace, labels),
      spec: {
        selector: { matchLabels: labels },
        updateStrategy: { rollingUpdate: { maxUnavailable: "100%" } },
        template: pulumi
          .output({ definition, settings, files, serviceCidr: cluster.serviceCidr, endpoint: cluster.endpoint })
          .apply(({ definition: known, settings: { mtu }, files: text, serviceCidr, endpoint }) =>
            kubeRouterTemplate(
              known,
              { serviceCidr, mtu, apiServer: known.replacesKubeProxy ? endpoint : undefined },
              text,
            ),
          ),
      },
    },
    { ...options, dependsOn: [...prepared.commands, ...account, config] },
  );
  return [agent];
}
