import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { checked } from "../../args/checked";
import { mtu, oneOf } from "../../args/schemas";
import type { Cluster } from "../../cluster/Cluster";
import type { NetworkKind } from "../kind";
import { type NetworkDesign, PodNetwork } from "../PodNetwork";
import { CILIUM_ROUTING_MODES, ciliumDefinition, type CiliumRoutingMode } from "./definition";
import { ciliumObjects } from "./objects";

export type { CiliumRoutingMode } from "./definition";

/** What describes a Cilium network. */
export interface CiliumNetworkArgs {
  /** Cluster whose pods it connects. */
  cluster: Cluster;
  /** `native` (the default): routes between nodes of one link-layer segment; `tunnel`: an overlay that any network carries. */
  routingMode?: pulumi.Input<CiliumRoutingMode>;
  /** Whether it serves ClusterIPs by eBPF in the place of kube-proxy; false by default. */
  kubeProxyReplacement?: pulumi.Input<boolean>;
  /** MTU of the pods' links in bytes, 576 to 9216; that of each node's own link, less the overlay's 50 bytes, by default. */
  mtu?: pulumi.Input<number>;
}

const routingMode = oneOf(CILIUM_ROUTING_MODES);
const kubeProxyReplacement = z.boolean();
const ciliumNetworkArgs = z.strictObject({ routingMode, kubeProxyReplacement, mtu: mtu.optional() });

/**
 * A pod network by Cilium (https://cilium.io): eBPF programs on every pod's link forward packets and enforce
 * NetworkPolicies. A drop-in for BridgeNetwork. Layer 7 policies and Hubble are off.
 */
export class CiliumNetwork extends PodNetwork {
  /**
   * Cilium as a stack's config can choose it.
   * @internal
   */
  static readonly kind: NetworkKind = {
    kind: "cilium",
    settings: {
      ciliumRoutingMode: {
        schema: routingMode.default("native"),
        argument: "routingMode",
        meaning: "`native`, or `tunnel` where nodes do not share a link-layer segment",
      },
      ciliumKubeProxyReplacement: {
        schema: kubeProxyReplacement.default(false),
        argument: "kubeProxyReplacement",
        meaning: "whether Cilium serves ClusterIPs by eBPF in kube-proxy's place",
      },
    },
    make: (name, args) => new CiliumNetwork(name, args),
  };

  constructor(name: string, args: CiliumNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    const settings = checked("CiliumNetwork args", ciliumNetworkArgs, {
      routingMode: args.routingMode ?? "native",
      kubeProxyReplacement: args.kubeProxyReplacement ?? false,
      mtu: args.mtu,
    });
    const definition = settings.apply((known) => ciliumDefinition(known.routingMode, known.kubeProxyReplacement));
    const design: NetworkDesign = {
      kind: "cilium",
      definition,
      mtu: settings.apply((known) => known.mtu),
      objects: (agents) => ciliumObjects(agents, definition, settings),
    };
    super("CiliumNetwork", name, args.cluster, design, opts);
  }
}
