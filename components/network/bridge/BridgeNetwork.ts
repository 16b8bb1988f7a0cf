import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { checked } from "../../args/checked";
import { mtu } from "../../args/schemas";
import type { Cluster } from "../../cluster/Cluster";
import type { NetworkKind } from "../kind";
import { PodNetwork } from "../PodNetwork";
import { bridgeDefinition } from "./definition";

/** What describes a bridge-plus-routes network. */
export interface BridgeNetworkArgs {
  /** Cluster whose pods it connects. */
  cluster: Cluster;
  /** MTU of the pods' links in bytes, 576 to 9216; the MTU of each node's own link by default. */
  mtu?: pulumi.Input<number>;
}

const bridgeNetworkArgs = z.strictObject({ mtu: mtu.optional() });

/**
 * A pod network without an agent: on each node a Linux bridge for its own pods and one route to the pods of each other
 * node. Needs all nodes on one link-layer segment. No address is translated between pods, or between nodes and pods; what
 * leaves the cluster is masqueraded. Nothing enforces NetworkPolicies.
 */
export class BridgeNetwork extends PodNetwork {
  /**
   * The bridge as a stack's config can choose it.
   * @internal
   */
  static readonly kind: NetworkKind = {
    kind: "bridge",
    settings: {},
    make: (name, args) => new BridgeNetwork(name, args),
  };

  constructor(name: string, args: BridgeNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    const valid = checked("BridgeNetwork args", bridgeNetworkArgs, { mtu: args.mtu });
    const definition = pulumi.output(bridgeDefinition());
    super(
      "BridgeNetwork",
      name,
      args.cluster,
      { kind: "bridge", definition, mtu: valid.apply((known) => known.mtu) },
      opts,
    );
  }
}
