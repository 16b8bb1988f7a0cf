import * as pulumi from "@pulumi/pulumi";
import { Changes } from "../cluster/changes";
import type { Cluster } from "../cluster/Cluster";
import { enforcesPolicy, type NetworkDefinition, POLICY_ADVICE } from "./definition";
import { AgentObjects } from "./objects";
import { holdMachines } from "./local";
import { enableNetwork, prepareNodes } from "./prepare";

/** What one kind of network adds to what all of them share. */
export interface NetworkDesign {
  /** Kind of network: it names the resources of its agents. */
  readonly kind: string;
  /** What follows from its arguments. */
  readonly definition: pulumi.Output<NetworkDefinition>;
  /** MTU of the pods' links in bytes; without it each node's own link decides. */
  readonly mtu: pulumi.Output<number | undefined>;
  /** Makes the objects of its agents and returns their workloads; a network without it has no agent. */
  readonly objects?: (agents: AgentObjects) => pulumi.Resource[];
}

/** Types that a network's component may have had: whichever class it is of, it stays the same resource. */
const TYPES = ["Bridge", "Flannel", "KubeRouter", "Cilium"].map((name) => `podnet:index:${name}Network`);

function withAliases(opts?: pulumi.ComponentResourceOptions): pulumi.ComponentResourceOptions {
  const own = Array.isArray(opts?.aliases) ? opts.aliases : [];
  return { ...opts, aliases: [...own, ...TYPES.map((type) => ({ type }))] };
}

/**
 * A pod network on a cluster. Its classes are drop-ins for each other: put one in another's place under the same name, and one
 * update changes the nodes from that network to this one.
 */
export abstract class PodNetwork extends pulumi.ComponentResource {
  /**
   * Cluster that it is on.
   * @internal
   */
  readonly cluster: Cluster;
  /** MTU of the pods' links by node name, in bytes. */
  readonly mtus: pulumi.Output<Record<string, number>>;
  /**
   * Resources that pods must be gone before: one command per node.
   * @internal
   */
  readonly prepared: readonly pulumi.Resource[];
  /**
   * Resources after which pods can talk.
   * @internal
   */
  readonly applied: readonly pulumi.Resource[];
  /**
   * What was made of it, to tell whether an update changed any of it.
   * @internal
   */
  readonly changes: Changes;
  /**
   * What follows from the choice of this network.
   * @internal
   */
  readonly definition: pulumi.Output<NetworkDefinition>;

  /** @internal */
  protected constructor(
    type: string,
    name: string,
    cluster: Cluster,
    design: NetworkDesign,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    const changes = new Changes();
    super(`podnet:index:${type}`, name, {}, changes.noting(withAliases(opts)));
    this.changes = changes;
    this.cluster = cluster;
    this.definition = design.definition;
    warnOfPolicies(this, design.definition);
    const prepared = prepareNodes(this, name, cluster, { ...design, hasAgents: design.objects !== undefined });
    const workloads = design.objects?.(new AgentObjects(`${name}-${design.kind}`, this, cluster, prepared)) ?? [];
    const enabled = enableNetwork(this, name, cluster, design.definition, prepared, workloads);
    holdMachines(this, name, cluster, [enabled]);
    this.mtus = prepared.mtus;
    this.prepared = prepared.commands;
    this.applied = [...prepared.commands, enabled];
    this.registerOutputs({ mtus: this.mtus });
  }
}

/** Says so when the program has a NetworkPolicy that nothing enforces. */
function warnOfPolicies(network: pulumi.Resource, definition: pulumi.Output<NetworkDefinition>): void {
  const warn = (name: string): void => {
    definition.apply((known) => {
      if (!enforcesPolicy(known)) {
        void pulumi.log.warn(`NetworkPolicy "${name}" has no effect: ${POLICY_ADVICE}`, network);
      }
    });
  };
  try {
    pulumi.runtime.registerStackTransformation(({ type, name }) => {
      if (/^kubernetes:(networking\.k8s\.io|extensions)\/[^:]+:NetworkPolicy$/.test(type)) {
        warn(name);
      }
      return undefined;
    });
  } catch {
    // A program without a stack, such as a test's, has nobody to warn; the check warns of every policy all the same.
  }
}
