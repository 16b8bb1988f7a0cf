import * as apps from "@pulumi/kubernetes/apps/v1";
import * as core from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { kubeRouterNetworkArgs } from "../../args/components";
import { KUBE_ROUTER_RULES, kubeRouterFiles, kubeRouterTemplate } from "./kubeRouter";
import { kubeRouterPlan, type NetworkPlan } from "../definition";
import { checked } from "../../args/checked";
import type { Cluster } from "../../cluster/Cluster";
import { enableNetwork, networkOptions, prepareNodes, warnOfPolicies } from "../prepare";
import { AgentObjects } from "../objects";
import type { PodNetwork } from "../PodNetwork";

/** What describes a Kube-router network. */
export interface KubeRouterNetworkArgs {
  cluster: Cluster;
  /** Whether it serves ClusterIPs by IPVS in the place of kube-proxy; false by default. Needs a kernel with IPVS. */
  serviceProxy?: pulumi.Input<boolean>;
  /** MTU of the pods' links in bytes, 576 to 9216; the MTU of each node's own link by default. */
  mtu?: pulumi.Input<number>;
}

/**
 * A pod network by Kube-router (https://www.kube-router.io): its agent on every node tells the others its pod CIDR over BGP
 * and enforces NetworkPolicies with IP sets. A drop-in for BridgeNetwork. Needs all nodes on one link-layer segment.
 */
export class KubeRouterNetwork extends pulumi.ComponentResource implements PodNetwork {
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

  constructor(name: string, args: KubeRouterNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("podnet:index:KubeRouterNetwork", name, {}, networkOptions(opts));
    const { cluster } = args;
    const valid = checked("KubeRouterNetwork args", kubeRouterNetworkArgs, {
      serviceProxy: args.serviceProxy ?? false,
      mtu: args.mtu,
    });
    this.plan = valid.apply(({ serviceProxy }) => kubeRouterPlan(serviceProxy));
    warnOfPolicies(this, this.plan);
    const prepared = prepareNodes(
      this,
      name,
      cluster,
      this.plan,
      valid.apply(({ mtu }) => mtu),
      "kube-router",
    );
    const objects = new AgentObjects(`${name}-kube-router`, this, cluster, prepared);
    const labels = { "k8s-app": "kube-router", tier: "node" };
    const namespace = "kube-system";
    const files = valid.apply(({ mtu }) => kubeRouterFiles({ mtu }));
    const account = objects.account("kube-router", namespace, KUBE_ROUTER_RULES, labels);
    const config = new core.ConfigMap(
      `${name}-kube-router-config`,
      { metadata: { name: "kube-router-cfg", namespace, labels }, data: files },
      objects.options,
    );
    const agent = new apps.DaemonSet(
      `${name}-kube-router-agent`,
      {
        metadata: objects.workload("kube-router", namespace, labels),
        spec: {
          selector: { matchLabels: labels },
          updateStrategy: { rollingUpdate: { maxUnavailable: "100%" } },
          template: pulumi
            .output({ plan: this.plan, valid, files, serviceCidr: cluster.serviceCidr, apiServer: cluster.endpoint })
            .apply(({ plan, valid: { mtu }, files: text, serviceCidr, apiServer }) =>
              kubeRouterTemplate(
                plan,
                { serviceCidr, mtu, apiServer: plan.replacesKubeProxy ? apiServer : undefined },
                text,
              ),
            ),
        },
      },
      { ...objects.options, dependsOn: [...prepared.commands, ...account, config] },
    );
    const ready = enableNetwork(this, name, cluster, this.plan, prepared, [agent]);
    this.mtus = prepared.mtus;
    this.generation = prepared.generation;
    this.prepared = prepared.commands;
    this.applied = [...prepared.commands, ready];
    this.registerOutputs({ mtus: this.mtus });
  }
}
