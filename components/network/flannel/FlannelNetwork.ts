import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { checked } from "../../args/checked";
import { mtu, oneOf } from "../../args/schemas";
import type { Cluster } from "../../cluster/Cluster";
import type { NetworkKind } from "../kind";
import { type NetworkDesign, PodNetwork } from "../PodNetwork";
import { FLANNEL_BACKENDS, type FlannelBackend, flannelDefinition } from "./definition";
import { flannelObjects } from "./objects";

export type { FlannelBackend } from "./definition";

/** What describes a flannel network. */
export interface FlannelNetworkArgs {
  /** Cluster whose pods it connects. */
  cluster: Cluster;
  /** `host-gw` (the default): routes between nodes of one link-layer segment; `vxlan`: an overlay that any network carries. */
  backend?: pulumi.Input<FlannelBackend>;
  /** MTU of the pods' links in bytes, 576 to 9216; that of each node's own link, less the overlay's 50 bytes, by default. */
  mtu?: pulumi.Input<number>;
}

const backend = oneOf(FLANNEL_BACKENDS);
const flannelNetworkArgs = z.strictObject({ backend, mtu: mtu.optional() });

/**
 * A pod network by flannel (https://github.com/flannel-io/flannel): its agent on every node makes the routes or the overlay
 * between nodes. A drop-in for BridgeNetwork. Nothing enforces NetworkPolicies.
 */
export class FlannelNetwork extends PodNetwork {
  /**
   * Flannel as a stack's config can choose it.
   * @internal
   */
  static readonly kind: NetworkKind = {
    kind: "flannel",
    settings: {
      flannelBackend: {
        schema: backend.default("host-gw"),
        argument: "backend",
        meaning: "`host-gw`, or `vxlan` where nodes do not share a link-layer segment",
      },
    },
    make: (name, args) => new FlannelNetwork(name, args),
  };

  constructor(name: string, args: FlannelNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    const settings = checked("FlannelNetwork args", flannelNetworkArgs, {
      backend: args.backend ?? "host-gw",
      mtu: args.mtu,
    });
    const definition = settings.apply((known) => flannelDefinition(known.backend));
    const design: NetworkDesign = {
      kind: "flannel",
      definition,
      mtu: settings.apply((known) => known.mtu),
      objects: (agents) => flannelObjects(agents, definition, settings),
    };
    super("FlannelNetwork", name, args.cluster, design, opts);
  }
}
