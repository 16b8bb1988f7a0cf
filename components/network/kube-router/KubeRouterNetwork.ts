import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { checked } from "../../args/checked";
import { mtu } from "../../args/schemas";
import type { Cluster } from "../../cluster/Cluster";
import type { NetworkKind } from "../kind";
import { type NetworkDesign, PodNetwork } from "../PodNetwork";
import { kubeRouterDefinition } from "./definition";
import { kubeRouterObjects } from "./objects";

/** What describes a Kube-router network. */
export interface KubeRouterNetworkArgs {
  /** Cluster whose pods it connects. */
  cluster: Cluster;
  /** Whether it serves ClusterIPs by IPVS in the place of kube-proxy; false by default. Needs a kernel with IPVS. */
  serviceProxy?: pulumi.Input<boolean>;
  /** MTU of the pods' links in bytes, 576 to 9216; the MTU of each node's own link by default. */
  mtu?: pulumi.Input<number>;
}

const serviceProxy = z.boolean();
const kubeRouterNetworkArgs = z.strictObject({ serviceProxy, mtu: mtu.optional() });

/**
 * A pod network by Kube-router (https://www.kube-router.io): its agent on every node tells the others its pod CIDR over BGP
 * and enforces NetworkPolicies with IP sets. A drop-in for BridgeNetwork. Needs all nodes on one link-layer segment.
 */
export class KubeRouterNetwork extends PodNetwork {
  /**
   * Kube-router as a stack's config can choose it.
   * @internal
   */
  static readonly kind: NetworkKind = {
    kind: "kube-router",
    settings: {
      kubeRouterServiceProxy: {
        schema: serviceProxy.default(false),
        argument: "serviceProxy",
        meaning: "whether Kube-router serves ClusterIPs by IPVS in kube-proxy's place",
      },
    },
    make: (name, args) => new KubeRouterNetwork(name, args),
  };

  constructor(name: string, args: KubeRouterNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    const settings = checked("KubeRouterNetwork args", kubeRouterNetworkArgs, {
      serviceProxy: args.serviceProxy ?? false,
      mtu: args.mtu,
    });
    const definition = settings.apply((known) => kubeRouterDefinition(known.serviceProxy));
    const design: NetworkDesign = {
      kind: "kube-router",
      definition,
      mtu: settings.apply((known) => known.mtu),
      objects: (agents) => kubeRouterObjects(agents, definition, settings),
    };
    super("KubeRouterNetwork", name, args.cluster, design, opts);
  }
}
