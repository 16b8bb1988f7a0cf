import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { noteNames } from "../args/names";
import { InvalidInputError } from "../args/validate";
import { noteChoice } from "../cluster/choice";
import type { Cluster } from "../cluster/Cluster";
import type { ClusterNode } from "../cluster/nodes";
import { applyPhase } from "../node/phase";
import type { NetworkDefinition } from "./definition";
import { giveImages, preflight } from "./local";
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
  const before = [preflight(parent, name, cluster, definition, mtu)];
  if (hasAgents) {
    before.push(giveImages(parent, name, cluster, definition));
  }
  const choice = noteChoice(
    `${name}-choice`,
    pulumi.all([definition, mtu]).apply(([{ id }, podMtu]) => (podMtu === undefined ? id : `${id}, mtu ${podMtu}`)),
    { parent, dependsOn: before },
  );
  const change = applyPhase(
    `${name}-change`,
    cluster.controlPlane.handle,
    {
      phase: "change",
      again: choice.at,
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
  // A node that an interrupted change left half way is applied again, also on the way back.
  const round = pulumi.interpolate`${generation}-${choice.at}`;
  const shared = pulumi.all([definition, mtu, routes, cluster.podCidr]);
  const commandOf = ({ nodeName, handle, installed, internalIp, podCidr, link }: ClusterNode) => {
    const phase = applyPhase(
      `${name}-on-${nodeName}`,
      handle,
      {
        phase: "network",
        network: definition.kind,
        // A node whose link is new has lost what was on it.
        again: link === undefined ? round : pulumi.interpolate`${round}-${link}`,
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
