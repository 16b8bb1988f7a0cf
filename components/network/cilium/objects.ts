import * as apps from "@pulumi/kubernetes/apps/v1";
import * as core from "@pulumi/kubernetes/core/v1";
import * as rbac from "@pulumi/kubernetes/rbac/v1";
import * as pulumi from "@pulumi/pulumi";
import type { NetworkDefinition } from "../definition";
import type { AgentObjects } from "../objects";
import { ciliumAgentTemplate } from "./agent";
import { ciliumConfig, type CiliumInput } from "./config";
import type { CiliumRoutingMode } from "./definition";
import { CILIUM_OPERATOR_LABELS, ciliumOperatorTemplate } from "./operator";
import { CILIUM_CONFIG_RULES, CILIUM_OPERATOR_RULES, CILIUM_RULES } from "./rules";

/** Cilium's own arguments, validated. */
export interface CiliumSettings {
  readonly routingMode: CiliumRoutingMode;
  readonly kubeProxyReplacement: boolean;
  readonly mtu?: number | undefined;
}

const NAMESPACE = "kube-system";
const LABELS = { "app.kubernetes.io/part-of": "cilium" };

/** Makes Cilium's objects as its chart has them: accounts, ConfigMap, the operator's Deployment and the agent's DaemonSet. */
export function ciliumObjects(
  agents: AgentObjects,
  definition: pulumi.Output<NetworkDefinition>,
  settings: pulumi.Output<CiliumSettings>,
): pulumi.Resource[] {
  const { name, cluster, options } = agents;
  const input = pulumi
    .output({ settings, podCidr: cluster.podCidr, endpoint: cluster.endpoint })
    .apply(({ settings: known, podCidr, endpoint }): CiliumInput => ({
      ...known,
      podCidr,
      apiServer: known.kubeProxyReplacement ? endpoint : undefined,
    }));
  const account = agents.account("cilium", NAMESPACE, CILIUM_RULES, LABELS);
  const operatorAccount = agents.account("cilium-operator", NAMESPACE, CILIUM_OPERATOR_RULES, LABELS, "-operator");
  const metadata = { name: "cilium-config-agent", namespace: NAMESPACE, labels: LABELS };
  const role = new rbac.Role(`${name}-config-role`, { metadata, rules: CILIUM_CONFIG_RULES }, options);
  const binding = new rbac.RoleBinding(
    `${name}-config-binding`,
    {
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: role.metadata.name },
      subjects: [{ kind: "ServiceAccount", name: "cilium", namespace: NAMESPACE }],
    },
    options,
  );
  const config = new core.ConfigMap(
    `${name}-config`,
    { metadata: { name: "cilium-config", namespace: NAMESPACE, labels: LABELS }, data: input.apply(ciliumConfig) },
    options,
  );
  const operator = operatorOf(agents, definition, input, [...operatorAccount, config]);
  const agent = agentOf(agents, definition, input, [...account, binding, config]);
  return [operator, agent];
}

function operatorOf(
  agents: AgentObjects,
  definition: pulumi.Output<NetworkDefinition>,
  input: pulumi.Output<CiliumInput>,
  after: readonly pulumi.Resource[],
): pulumi.Resource {
  return new apps.Deployment(
    `${agents.name}-operator`,
    {
      metadata: agents.workload("cilium-operator", NAMESPACE, { ...LABELS, ...CILIUM_OPERATOR_LABELS }),
      spec: {
        replicas: 1,
        // Two of them cannot share a node's ports.
        strategy: { type: "Recreate" },
        selector: { matchLabels: CILIUM_OPERATOR_LABELS },
        template: pulumi.all([definition, input]).apply(([known, value]) => ciliumOperatorTemplate(known, value)),
      },
    },
    { ...agents.options, dependsOn: [...agents.prepared.commands, ...after] },
  );
}

function agentOf(
  agents: AgentObjects,
  definition: pulumi.Output<NetworkDefinition>,
  input: pulumi.Output<CiliumInput>,
  after: readonly pulumi.Resource[],
): pulumi.Resource {
  return new apps.DaemonSet(
    `${agents.name}-agent`,
    {
      metadata: agents.workload("cilium", NAMESPACE, { ...LABELS, "k8s-app": "cilium" }),
      spec: {
        selector: { matchLabels: { "k8s-app": "cilium" } },
        updateStrategy: { rollingUpdate: { maxUnavailable: "100%" } },
        template: pulumi.all([definition, input]).apply(([known, value]) => ciliumAgentTemplate(known, value)),
      },
    },
    { ...agents.options, dependsOn: [...agents.prepared.commands, ...after] },
  );
}
