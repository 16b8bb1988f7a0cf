import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { bridgeNetworkArgs } from "../../src/args";
import { type BridgeInput, bridgeScript, parseBridge, removeBridgeScript } from "../../src/net/bridge";
import { readyScript } from "../../src/kubeadm/scripts";
import { remoteCommand, scriptText } from "../../src/shell/remote";
import { checked } from "../checked";
import type { Cluster } from "../cluster/Cluster";
import { connectionTo } from "../cluster/connection";

/** What describes a bridge-plus-routes network. */
export interface BridgeNetworkArgs {
  cluster: Cluster;
  /** MTU of the pods' links in bytes, 576 to 9216; the MTU of each node's own link by default. */
  mtu?: pulumi.Input<number>;
}

/**
 * A pod network without an agent: on each node a Linux bridge for its own pods and one route to the pods of each other
 * node. Needs all nodes on one link-layer segment. No address is translated between pods, or between nodes and pods; what
 * leaves the cluster is masqueraded.
 */
export class BridgeNetwork extends pulumi.ComponentResource {
  /** MTU of the pods' links by node name, in bytes. */
  readonly mtus: pulumi.Output<Record<string, number>>;
  /** Resources after which pods can talk. */
  readonly applied: readonly pulumi.Resource[];

  constructor(name: string, args: BridgeNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("podnet:index:BridgeNetwork", name, {}, opts);
    const { cluster } = args;
    const { mtu } = checked("BridgeNetwork args", bridgeNetworkArgs, { mtu: args.mtu });
    const nodes = Object.values(cluster.nodes);
    const addresses = pulumi.all(
      nodes.map(({ nodeName, internalIp, podCidr }) =>
        pulumi.all([internalIp, podCidr]).apply(([ip, cidr]) => ({ nodeName, internalIp: ip, podCidr: cidr })),
      ),
    );
    const options = { lock: "network", timeout: 120 };
    const commands = nodes.map((node) => {
      const { nodeName, connection, installed, deletedWith } = node;
      const input = pulumi
        .all([addresses, node.internalIp, node.podCidr, cluster.podCidr, mtu])
        .apply(([all, internalIp, nodePodCidr, podCidr, declared]): BridgeInput => ({
          internalIp,
          nodePodCidr,
          podCidr,
          peers: all.filter((other) => other.nodeName !== nodeName),
          mtu: declared,
        }));
      const applied = new command.remote.Command(
        `${name}-${nodeName}`,
        {
          connection: connectionTo(nodeName, connection),
          create: remoteCommand("create", options),
          delete: remoteCommand("delete", options),
          stdin: input.apply((value) => scriptText({ create: bridgeScript(value), delete: removeBridgeScript(value) })),
          addPreviousOutputInEnv: false,
          logging: command.remote.Logging.Stderr,
        },
        { parent: this, dependsOn: [installed, cluster.members], deletedWith },
      );
      return { nodeName, applied };
    });
    this.mtus = pulumi
      .all(commands.map(({ nodeName, applied }) => applied.stdout.apply((out) => [nodeName, parseBridge(out).mtu])))
      .apply((entries) => Object.fromEntries(entries) as Record<string, number>);
    const { controlPlane } = cluster;
    const ready = new command.remote.Command(
      `${name}-ready`,
      {
        connection: connectionTo(controlPlane.nodeName, controlPlane.connection),
        create: remoteCommand("create", { lock: "ready", timeout: 120 }),
        stdin: scriptText({ create: readyScript(nodes.map(({ nodeName }) => nodeName)) }),
        addPreviousOutputInEnv: false,
        logging: command.remote.Logging.Stderr,
      },
      {
        parent: this,
        dependsOn: [...commands.map(({ applied }) => applied), ...cluster.registered],
        deletedWith: controlPlane.deletedWith,
      },
    );
    this.applied = [...commands.map(({ applied }) => applied), ready];
    this.registerOutputs({ mtus: this.mtus });
  }
}
