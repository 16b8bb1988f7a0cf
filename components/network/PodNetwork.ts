import type * as pulumi from "@pulumi/pulumi";
import type { NetworkPlan } from "./definition";

/** A pod network as a ConnectivityCheck needs it; each of podnet's networks is one. */
export interface PodNetwork extends pulumi.Resource {
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
}
