import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { known } from "../args/known";
import { noteNames } from "../args/names";
import { InvalidInputError } from "../args/validate";
import type { Cluster } from "../cluster/Cluster";
import type { ClusterNode } from "../cluster/nodes";
import { hereLine } from "../machine/here";
import { imageLines } from "../node/images";
import { applyPhase } from "../node/phase";
import type { NetworkDefinition } from "./definition";
import type { HoldRequest } from "./hold";
import type { ImagesRequest } from "./images";
import type { PreflightRequest } from "./preflight";
import { routesOfEach } from "./routes";

/** What preparing the nodes takes from a network. */
export interface Preparation {
  readonly definition: pulumi.Output<NetworkDefinition>;
  /** MTU of the pods' links in bytes; without it each node's own link decides. */
  readonly mtu: pulumi.Output<number | undefined>;
  /** Whether it has agents, whose images every node then gets. */
  readonly hasAgents: boolean;
}

/** The first steps of every network: everything that happens before its own objects are made. */
export interface Prepared {
  /** One command per node, after which the node is ready for the network. */
  readonly commands: readonly pulumi.Resource[];
  readonly mtus: pulumi.Output<Record<string, number>>;
  readonly generation: pulumi.Output<string>;
}

const changed = z.strictObject({ network: z.string(), generation: z.string() });
const applied = z.strictObject({ mtu: z.number(), link: z.string() });

/** The one JSON line of a phase's answer, in the shape that the phase promises. */
function answered<T extends z.ZodType>(schema: T, lines: readonly string[]): z.output<T> {
  return schema.parse(JSON.parse(lines.join("")));
}

/**
 * Looks whether every machine can run the network: a local command that changes nothing and fails, naming all that is missing
 * on each. A new cluster's machines are not touched before it.
 */
function preflight(
  parent: pulumi.Resource,
  name: string,
  cluster: Cluster,
  definition: pulumi.Output<NetworkDefinition>,
): pulumi.Resource {
  const stdin = pulumi
    .all([definition, cluster.dialTable, cluster.declared])
    .apply(([{ id, kind, features, programs, conflist, owns = [] }, nodes, { machines, passing, gone }]) =>
      JSON.stringify({
        network: id,
        features: [...features],
        programs: [...programs],
        nodes,
        declared: Object.fromEntries(
          Object.entries(machines).map(([nodeName, asked]) => [
            nodeName,
            { ...asked, kind, conflist, path: [...owns] },
          ]),
        ),
        passing: [...passing],
        gone: [...gone],
      } satisfies PreflightRequest),
    );
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

/**
 * Notes, before anything is changed for it, which network is chosen, and when. Where a change failed half way and the earlier network
 * is declared again, the commands have the inputs that they had before, and only this tells that they have to run once more.
 */
function noteChoice(
  parent: pulumi.Resource,
  name: string,
  definition: pulumi.Output<NetworkDefinition>,
  dependsOn: readonly pulumi.Resource[],
): command.local.Command {
  return new command.local.Command(
    `${name}-choice`,
    {
      create: 'node -p "Date.now()"',
      stdin: definition.id,
      addPreviousOutputInEnv: false,
      logging: command.local.Logging.Stderr,
    },
    { parent, dependsOn: [...dependsOn] },
  );
}

/** Gives every node the images of the network's agents, before anything of another network ends. */
function giveImages(
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

/** The network of each cluster, by its name. */
const networks = new WeakMap<Cluster, string>();

/** Refuses another network on a cluster that has one: each would take the nodes away from the other. */
function refuseSecond(name: string, cluster: Cluster): void {
  const other = networks.get(cluster);
  if (other !== undefined) {
    const message = `a cluster has one pod network, and this one has "${other}" already; take "${other}" or "${name}" out`;
    throw new InvalidInputError("PodNetwork args", [{ path: "cluster", message }]);
  }
  networks.set(cluster, name);
}

/**
 * Prepares a cluster's nodes for a network: looks whether every machine can run it before any is touched, ends another network
 * that is there, and prepares each node in one command.
 */
export function prepareNodes(
  parent: pulumi.Resource,
  name: string,
  cluster: Cluster,
  { definition, mtu, hasAgents }: Preparation,
): Prepared {
  const nodes = Object.values(cluster.nodes);
  noteNames("PodNetwork", "command of a network", [
    ...["preflight", "choice", "change", "enable", "hold"].map((step) => ({
      name: `${name}-${step}`,
      path: "",
      of: `the network "${name}"`,
    })),
    ...nodes.map(({ nodeName }) => ({
      name: `${name}-on-${nodeName}`,
      path: "",
      of: `the network "${name}" on the node "${nodeName}"`,
    })),
  ]);
  refuseSecond(name, cluster);
  const before = [preflight(parent, name, cluster, definition)];
  if (hasAgents) {
    before.push(giveImages(parent, name, cluster, definition));
  }
  const choice = noteChoice(parent, name, definition, before);
  const change = applyPhase(
    `${name}-change`,
    cluster.controlPlane.handle,
    {
      phase: "change",
      again: known(choice.stdout),
      network: definition.kind,
      parameters: definition.apply(({ id, kind, replacesKubeProxy }) => ({
        network: id,
        kind,
        "replaces-kube-proxy": replacesKubeProxy ? "yes" : "no",
      })),
    },
    { parent, dependsOn: [...before, ...cluster.registered, cluster.members] },
  );
  const generation = change.answer.apply((lines) => answered(changed, lines).generation);
  const routes = pulumi
    .output(Object.fromEntries(nodes.map(({ nodeName, podCidr, internalIp }) => [nodeName, { podCidr, internalIp }])))
    // A function: Pulumi walks through a value at each of its steps, and all routes would be walked for each node.
    .apply((peers) => {
      const routesOf = routesOfEach(peers);
      return (nodeName: string) => routesOf[nodeName];
    });
  const shared = pulumi.all([definition, mtu, routes, cluster.podCidr]);
  const commandOf = ({ nodeName, handle, installed, internalIp, podCidr, link }: ClusterNode) => {
    const phase = applyPhase(
      `${name}-on-${nodeName}`,
      handle,
      {
        phase: "network",
        network: definition.kind,
        // A node that an interrupted change left half way is applied again, also on the way back; and one whose link is new.
        again: link === undefined ? generation : pulumi.interpolate`${generation}-${link}`,
        parameters: pulumi
          .all([shared, internalIp, podCidr])
          .apply(([[known, podMtu, routesOf, clusterCidr], ip, nodePodCidr]) => ({
            network: known.id,
            kind: known.kind,
            "internal-ip": ip,
            "pod-cidr": clusterCidr,
            "node-pod-cidr": nodePodCidr,
            mtu: podMtu,
            overhead: known.overhead,
            egress: known.ownEgress ? "podnet" : "agent",
            "replaces-kube-proxy": known.replacesKubeProxy ? "yes" : "no",
            // Only where podnet routes or masquerades itself a new peer is news to the others.
            route: known.ownEgress ? routesOf(nodeName) : undefined,
          })),
      },
      { parent, dependsOn: [installed, change.resource] },
    );
    return { nodeName, phase };
  };
  const commands = nodes.map(commandOf);
  cluster.gone.forEach(commandOf);
  const mtus = pulumi
    .all(commands.map(({ phase }) => phase.answer))
    .apply((answers) =>
      Object.fromEntries(
        commands.map(({ nodeName }, index) => [nodeName, answered(applied, answers[index] ?? []).mtu]),
      ),
    );
  return { commands: commands.map(({ phase }) => phase.resource), mtus, generation };
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

/** The last step of every network: its agents run, every node is Ready, and pods that a change of network ended are back. */
export function enableNetwork(
  parent: pulumi.Resource,
  name: string,
  cluster: Cluster,
  definition: pulumi.Output<NetworkDefinition>,
  prepared: Prepared,
  workloads: readonly pulumi.Resource[],
): pulumi.Resource {
  const parameters = pulumi
    .all([definition, prepared.generation, cluster.memberLines])
    .apply(([{ id, rollouts }, generation, member]) => ({
      network: id,
      rollout: rollouts.map((rollout) => `${rollout.kind} ${rollout.namespace}/${rollout.name}`),
      member,
      generation,
    }));
  return applyPhase(
    `${name}-enable`,
    cluster.controlPlane.handle,
    // A node that was registered anew has not the network's label, without which no agent runs on it.
    { phase: "enable", parameters, again: cluster.registration },
    { parent, dependsOn: [...prepared.commands, ...workloads, ...cluster.registered] },
  ).resource;
}
