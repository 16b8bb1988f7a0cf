import * as pulumi from "@pulumi/pulumi";
import { bridgeNetworkArgs } from "../../args/components";
import { bridgePlan, type NetworkPlan } from "../definition";
import { checked } from "../../args/checked";
import type { Cluster } from "../../cluster/Cluster";
import { enableNetwork, networkOptions, prepareNodes, warnOfPolicies } from "../prepare";
import type { PodNetwork } from "../PodNetwork";

/** What describes a bridge-plus-routes network. */
export interface BridgeNetworkArgs {
  cluster: Cluster;
  /** MTU of the pods' links in bytes, 576 to 9216; the MTU of each node's own link by default. */
  mtu?: pulumi.Input<number>;
}

/**
 * A pod network without an agent: on each node a Linux bridge for its own pods and one route to the pods of each other
 * node. Needs all nodes on one link-layer segment. No address is translated between pods, or between nodes and pods; what
 * leaves the cluster is masqueraded. Nothing enforces NetworkPolicies.
 */
export class BridgeNetwork extends pulumi.ComponentResource implements PodNetwork {
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

  constructor(name: string, args: BridgeNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("podnet:index:BridgeNetwork", name, {}, networkOptions(opts));
    const { cluster } = args;
    const valid = checked("BridgeNetwork args", bridgeNetworkArgs, { mtu: args.mtu });
    this.plan = pulumi.output(bridgePlan());
    warnOfPolicies(this, this.plan);
    const prepared = prepareNodes(
      this,
      name,
      cluster,
      this.plan,
      valid.apply(({ mtu }) => mtu),
    );
    const ready = enableNetwork(this, name, cluster, this.plan, prepared, []);
    this.mtus = prepared.mtus;
    this.generation = prepared.generation;
    this.prepared = prepared.commands;
    this.applied = [...prepared.commands, ready];
    this.registerOutputs({ mtus: this.mtus });
  }
}
