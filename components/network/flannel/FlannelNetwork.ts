import * as apps from "@pulumi/kubernetes/apps/v1";
import * as core from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { flannelNetworkArgs } from "../../args/components";
import { FLANNEL_RULES, flannelFiles, flannelTemplate } from "./flannel";
import { flannelPlan, type NetworkPlan } from "../definition";
import { checked } from "../../args/checked";
import type { Cluster } from "../../cluster/Cluster";
import { enableNetwork, networkOptions, prepareNodes, warnOfPolicies } from "../prepare";
import { AgentObjects } from "../objects";
import type { PodNetwork } from "../PodNetwork";

/** What describes a flannel network. */
export interface FlannelNetworkArgs {
  cluster: Cluster;
  /** `host-gw` (the default): routes between nodes of one link-layer segment; `vxlan`: an overlay that any network carries. */
  backend?: pulumi.Input<string>;
  /** MTU of the pods' links in bytes, 576 to 9216; that of each node's own link, less the overlay's 50 bytes, by default. */
  mtu?: pulumi.Input<number>;
}

/**
 * A pod network by flannel (https://github.com/flannel-io/flannel): its agent on every node makes the routes or the overlay
 * between nodes. A drop-in for BridgeNetwork. Nothing enforces NetworkPolicies.
 */
export class FlannelNetwork extends pulumi.ComponentResource implements PodNetwork {
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

  constructor(name: string, args: FlannelNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("podnet:index:FlannelNetwork", name, {}, networkOptions(opts));
    const { cluster } = args;
    const valid = checked("FlannelNetwork args", flannelNetworkArgs, {
      backend: args.backend ?? "host-gw",
      mtu: args.mtu,
    });
    this.plan = valid.apply(({ backend }) => flannelPlan(backend));
    warnOfPolicies(this, this.plan);
    const prepared = prepareNodes(
      this,
      name,
      cluster,
      this.plan,
      valid.apply(({ mtu }) => mtu),
      "flannel",
    );
    const files = pulumi
      .all([valid, cluster.podCidr])
      .apply(([{ backend, mtu }, podCidr]) => flannelFiles({ podCidr, backend, mtu }));
    const objects = new AgentObjects(`${name}-flannel`, this, cluster, prepared);
    const options = objects.options;
    const labels = { "k8s-app": "flannel" };
    const namespace = new core.Namespace(
      `${name}-flannel-namespace`,
      {
        metadata: {
          name: "kube-flannel",
          labels: { ...labels, "pod-security.kubernetes.io/enforce": "privileged" },
        },
      },
      options,
    ).metadata.name;
    const account = objects.account("flannel", namespace, FLANNEL_RULES, labels);
    const config = new core.ConfigMap(
      `${name}-flannel-config`,
      {
        metadata: { name: "kube-flannel-cfg", namespace, labels: { ...labels, tier: "node", app: "flannel" } },
        data: files,
      },
      options,
    );
    const agent = new apps.DaemonSet(
      `${name}-flannel-agent`,
      {
        metadata: objects.workload("kube-flannel-ds", namespace, { ...labels, tier: "node", app: "flannel" }),
        spec: {
          selector: { matchLabels: { app: "flannel" } },
          updateStrategy: { rollingUpdate: { maxUnavailable: "100%" } },
          template: pulumi.all([this.plan, files]).apply(([plan, text]) => flannelTemplate(plan, text)),
        },
      },
      { ...options, dependsOn: [...prepared.commands, ...account, config] },
    );
    const ready = enableNetwork(this, name, cluster, this.plan, prepared, [agent]);
    this.mtus = prepared.mtus;
    this.generation = prepared.generation;
    this.prepared = prepared.commands;
    this.applied = [...prepared.commands, ready];
    this.registerOutputs({ mtus: this.mtus });
  }
}
