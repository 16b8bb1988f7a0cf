import * as apps from "@pulumi/kubernetes/apps/v1";
import * as core from "@pulumi/kubernetes/core/v1";
import * as rbac from "@pulumi/kubernetes/rbac/v1";
import * as pulumi from "@pulumi/pulumi";
import { ciliumNetworkArgs } from "../../args/components";
import {
  CILIUM_CONFIG_RULES,
  CILIUM_OPERATOR_LABELS,
  CILIUM_OPERATOR_RULES,
  CILIUM_RULES,
  ciliumAgentTemplate,
  ciliumConfig,
  ciliumOperatorTemplate,
} from "./cilium";
import { ciliumPlan, type NetworkPlan } from "../definition";
import { checked } from "../../args/checked";
import type { Cluster } from "../../cluster/Cluster";
import { enableNetwork, networkOptions, prepareNodes, warnOfPolicies } from "../prepare";
import { AgentObjects } from "../objects";
import type { PodNetwork } from "../PodNetwork";

/** What describes a Cilium network. */
export interface CiliumNetworkArgs {
  cluster: Cluster;
  /** `native` (the default): routes between nodes of one link-layer segment; `tunnel`: an overlay that any network carries. */
  routingMode?: pulumi.Input<string>;
  /** Whether it serves ClusterIPs by eBPF in the place of kube-proxy; false by default. */
  kubeProxyReplacement?: pulumi.Input<boolean>;
  /** MTU of the pods' links in bytes, 576 to 9216; that of each node's own link, less the overlay's 50 bytes, by default. */
  mtu?: pulumi.Input<number>;
}

/**
 * A pod network by Cilium (https://cilium.io): eBPF programs on every pod's link forward packets and enforce
 * NetworkPolicies. A drop-in for BridgeNetwork. Layer 7 policies and Hubble are off.
 */
export class CiliumNetwork extends pulumi.ComponentResource implements PodNetwork {
  /** MTU of the pods' links by node name, in bytes. */
  readonly mtus: pulumi.Output<Record<string, number>>;
  /** Resources that pods must be gone before: one command per node. */
  readonly prepared: readonly pulumi.Resource[];
  /** Resources after which pods can talk. */
  readonly applied: readonly pulumi.Resource[];
  /** Changes when the cluster changed to this network from another one. */
  readonly generation: pulumi.Output<string>;
  /** What follows from the choice of this network. */
  readonly plan: pulumi.Output<NetworkPlan>;

  constructor(name: string, args: CiliumNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("podnet:index:CiliumNetwork", name, {}, networkOptions(opts));
    const { cluster } = args;
    const valid = checked("CiliumNetwork args", ciliumNetworkArgs, {
      routingMode: args.routingMode ?? "native",
      kubeProxyReplacement: args.kubeProxyReplacement ?? false,
      mtu: args.mtu,
    });
    this.plan = valid.apply(({ routingMode, kubeProxyReplacement }) => ciliumPlan(routingMode, kubeProxyReplacement));
    warnOfPolicies(this, this.plan);
    const prepared = prepareNodes(
      this,
      name,
      cluster,
      this.plan,
      valid.apply(({ mtu }) => mtu),
      "cilium",
    );
    const objects = new AgentObjects(`${name}-cilium`, this, cluster, prepared);
    const labels = { "app.kubernetes.io/part-of": "cilium" };
    const namespace = "kube-system";
    const input = pulumi
      .output({ valid, podCidr: cluster.podCidr, apiServer: cluster.endpoint })
      .apply(({ valid: { routingMode, kubeProxyReplacement, mtu }, podCidr, apiServer }) => ({
        podCidr,
        routingMode,
        kubeProxyReplacement,
        mtu,
        apiServer: kubeProxyReplacement ? apiServer : undefined,
      }));
    const account = objects.account("cilium", namespace, CILIUM_RULES, labels);
    const operatorAccount = objects.account("cilium-operator", namespace, CILIUM_OPERATOR_RULES, labels, "-operator");
    const configRole = new rbac.Role(
      `${name}-cilium-config-role`,
      { metadata: { name: "cilium-config-agent", namespace, labels }, rules: CILIUM_CONFIG_RULES },
      objects.options,
    );
    const configBinding = new rbac.RoleBinding(
      `${name}-cilium-config-binding`,
      {
        metadata: { name: "cilium-config-agent", namespace, labels },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: configRole.metadata.name },
        subjects: [{ kind: "ServiceAccount", name: "cilium", namespace }],
      },
      objects.options,
    );
    const config = new core.ConfigMap(
      `${name}-cilium-config`,
      { metadata: { name: "cilium-config", namespace, labels }, data: input.apply(ciliumConfig) },
      objects.options,
    );
    const operator = new apps.Deployment(
      `${name}-cilium-operator`,
      {
        metadata: objects.workload("cilium-operator", namespace, { ...labels, ...CILIUM_OPERATOR_LABELS }),
        spec: {
          replicas: 1,
          // Two of them cannot share a node's ports.
          strategy: { type: "Recreate" },
          selector: { matchLabels: CILIUM_OPERATOR_LABELS },
          template: pulumi.all([this.plan, input]).apply(([plan, value]) => ciliumOperatorTemplate(plan, value)),
        },
      },
      { ...objects.options, dependsOn: [...prepared.commands, ...operatorAccount, config] },
    );
    const agent = new apps.DaemonSet(
      `${name}-cilium-agent`,
      {
        metadata: objects.workload("cilium", namespace, { ...labels, "k8s-app": "cilium" }),
        spec: {
          selector: { matchLabels: { "k8s-app": "cilium" } },
          updateStrategy: { rollingUpdate: { maxUnavailable: "100%" } },
          template: pulumi.all([this.plan, input]).apply(([plan, value]) => ciliumAgentTemplate(plan, value)),
        },
      },
      { ...objects.options, dependsOn: [...prepared.commands, ...account, configBinding, config] },
    );
    const ready = enableNetwork(this, name, cluster, this.plan, prepared, [operator, agent]);
    this.mtus = prepared.mtus;
    this.generation = prepared.generation;
    this.prepared = prepared.commands;
    this.applied = [...prepared.commands, ready];
    this.registerOutputs({ mtus: this.mtus });
  }
}
