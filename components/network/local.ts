import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../cluster/Cluster";
import { hereLine } from "../machine/here";
import { imageLines } from "../node/images";
import { hasOverlay, type NetworkDefinition } from "./definition";
import type { HoldRequest } from "./hold";
import type { ImagesRequest } from "./images";
import type { PreflightRequest } from "./preflight";

/**
 * Looks whether every machine can run the network: a local command that changes nothing and fails, naming all that is missing
 * on each. A new cluster's machines are not touched before it.
 */
export function preflight(
  parent: pulumi.Resource,
  name: string,
  cluster: Cluster,
  definition: pulumi.Output<NetworkDefinition>,
  mtu: pulumi.Output<number | undefined>,
): pulumi.Resource {
  const stdin = pulumi
    .all([definition, mtu, cluster.dialTable, cluster.declared])
    .apply(([definition_, podMtu, nodes, { machines, passing, gone }]) => {
      const { id, kind, features, programs, conflist, owns = [], overhead } = definition_;
      const asked = {
        ...{ kind, conflist, path: [...owns] },
        ...(podMtu !== undefined && { mtu: String(podMtu), overhead: String(overhead) }),
      };
      return JSON.stringify({
        network: id,
        features: [...features],
        programs: [...programs],
        oneLink: !hasOverlay(definition_),
        nodes,
        declared: Object.fromEntries(
          Object.entries(machines).map(([nodeName, machine]) => [nodeName, { ...machine, ...asked }]),
        ),
        passing: [...passing],
        gone: [...gone],
      } satisfies PreflightRequest);
    });
  const command_ = new command.local.Command(
    `${name}-preflight`,
    {
      create: hereLine("preflight"),
      stdin: pulumi.secret(stdin),
      // A machine that was found fit is not asked again when another one joins it.
      addPreviousOutputInEnv: true,
      logging: command.local.Logging.Stderr,
    },
    { parent },
  );
  cluster.waitFor(command_);
  return command_;
}

/** Gives every node the images of the network's agents, before anything of another network ends. */
export function giveImages(
  parent: pulumi.Resource,
  name: string,
  cluster: Cluster,
  definition: pulumi.Output<NetworkDefinition>,
): pulumi.Resource {
  const stdin = pulumi
    .all([definition, cluster.dialTable, cluster.owner, cluster.mirror, cluster.checksums])
    .apply(([{ images }, nodes, owner, mirror, checksums]) =>
      JSON.stringify({ owner, mirror, images: imageLines(images, checksums), nodes } satisfies ImagesRequest),
    );
  return new command.local.Command(
    `${name}-images`,
    {
      create: hereLine("images"),
      stdin: pulumi.secret(stdin),
      addPreviousOutputInEnv: false,
      logging: command.local.Logging.Stderr,
    },
    {
      parent,
      dependsOn: Object.values(cluster.nodes).map(({ installed }) => installed),
      deletedWith: cluster.deletedWith,
    },
  );
}

/**
 * Holds the machines that stay when their resources go. Everything on them is made before it, so it is deleted before anything on them
 * is undone: it sees that each machine does what it is told, and tells it that it is released.
 */
export function holdMachines(
  parent: pulumi.Resource,
  name: string,
  cluster: Cluster,
  dependsOn: readonly pulumi.Resource[],
): void {
  const staying = Object.values(cluster.nodes).filter(({ handle }) => handle.deletedWith === undefined);
  if (staying.length === 0) {
    return;
  }
  const names = new Set(staying.map(({ nodeName }) => nodeName));
  const stdin = pulumi.all([cluster.owner, cluster.dialTable]).apply(([owner, { keys, nodes }]) =>
    JSON.stringify({
      owner,
      nodes: { keys, nodes: Object.fromEntries(Object.entries(nodes).filter(([nodeName]) => names.has(nodeName))) },
    } satisfies HoldRequest),
  );
  new command.local.Command(
    `${name}-hold`,
    {
      create: hereLine("hold"),
      delete: hereLine("hold", "release"),
      stdin: pulumi.secret(stdin),
      addPreviousOutputInEnv: true,
      logging: command.local.Logging.Stderr,
    },
    { parent, dependsOn: [...dependsOn], additionalSecretOutputs: ["stdout"] },
  );
}
