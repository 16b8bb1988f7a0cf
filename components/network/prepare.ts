import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { nodeScript, parseNode, removeNetworkScript } from "./node";
import { NETWORKS, type NetworkPlan, POLICY_ADVICE } from "./definition";
import { enableScript, forgetScript, parseSwitch, switchScript } from "./change";
import { imageScript } from "../node/install";
import { type AgentNetwork, networkImages } from "../node/releases";
import { remoteCommand, scriptText } from "../node/command";
import type { Cluster } from "../cluster/Cluster";
import { connectionTo } from "../machine/connection";
import { preflightCommand } from "./preflight";

/** Component types of the networks, for their aliases. */
const TYPES = { bridge: "Bridge", flannel: "Flannel", "kube-router": "KubeRouter", cilium: "Cilium" } as const;

/**
 * The options of a network's component, which is the same resource whichever network it is: so a change of network in a
 * program updates each node's command in place, and a change back is one too.
 */
export function networkOptions(opts?: pulumi.ComponentResourceOptions): pulumi.ComponentResourceOptions {
  const aliases = NETWORKS.map((kind) => ({ type: `podnet:index:${TYPES[kind]}Network` }));
  return { ...opts, aliases: [...(Array.isArray(opts?.aliases) ? opts.aliases : []), ...aliases] };
}

/** Says so when the program has a NetworkPolicy that nothing enforces. */
export function warnOfPolicies(network: pulumi.Resource, plan: pulumi.Output<NetworkPlan>): void {
  const warn = (name: string): void => {
    plan.apply(({ enforcesPolicy }) => {
      if (!enforcesPolicy) {
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

/** Gives every node a network's images, before anything of another network ends. */
function imageCommands(
  parent: pulumi.Resource,
  name: string,
  cluster: Cluster,
  network: AgentNetwork,
  dependsOn: pulumi.Resource,
): pulumi.Resource[] {
  return Object.values(cluster.nodes).map(
    ({ nodeName, connection, installed, deletedWith }) =>
      new command.remote.Command(
        `${name}-${nodeName}-images`,
        {
          connection: connectionTo(nodeName, connection),
          create: remoteCommand("create", { lock: "images", timeout: 900 }),
          stdin: pulumi
            .all([cluster.mirror, cluster.checksums])
            .apply(([mirror, checksums]) =>
              scriptText({ create: imageScript(networkImages(network), { mirror, checksums }) }),
            ),
          addPreviousOutputInEnv: false,
          logging: command.remote.Logging.Stderr,
        },
        { parent, dependsOn: [installed, dependsOn], deletedWith },
      ),
  );
}

/** The first steps of every network: everything that happens before its own objects are made. */
export interface Prepared {
  /** One command per node, after which the node is ready for the network. */
  readonly commands: readonly pulumi.Resource[];
  readonly mtus: pulumi.Output<Record<string, number>>;
  readonly generation: pulumi.Output<string>;
}

/**
 * Prepares a cluster's nodes for a network: looks whether every machine can run it before any is touched, takes leave of
 * another network that is there, and prepares each node in one command. `agent` is the network whose images its agents need.
 */
export function prepareNodes(
  network: pulumi.Resource,
  name: string,
  cluster: Cluster,
  plan: pulumi.Output<NetworkPlan>,
  mtu: pulumi.Output<number | undefined>,
  agent?: AgentNetwork,
): Prepared {
  const parent = network;
  const { controlPlane } = cluster;
  const nodes = Object.values(cluster.nodes);
  const connections = Object.fromEntries(nodes.map(({ nodeName, connection }) => [nodeName, connection]));
  const preflight = preflightCommand(name, connections, plan, {
    parent,
    dependsOn: nodes.map(({ claimed }) => claimed),
  });
  const images = agent === undefined ? [] : imageCommands(parent, name, cluster, agent, preflight);
  const change = new command.remote.Command(
    `${name}-switch`,
    {
      connection: connectionTo(controlPlane.nodeName, controlPlane.connection),
      create: remoteCommand("create", { lock: "switch", timeout: 600 }),
      delete: remoteCommand("delete", { lock: "switch", timeout: 600 }),
      stdin: plan.apply((value) => scriptText({ create: switchScript(value), delete: forgetScript(value) })),
      addPreviousOutputInEnv: false,
      logging: command.remote.Logging.Stderr,
    },
    { parent, dependsOn: [preflight, cluster.members, ...images], deletedWith: controlPlane.deletedWith },
  );
  const generation = change.stdout.apply(parseSwitch);
  const addresses = pulumi.all(
    nodes.map(({ nodeName, internalIp, podCidr }) =>
      pulumi.all([internalIp, podCidr]).apply(([ip, cidr]) => ({ nodeName, internalIp: ip, podCidr: cidr })),
    ),
  );
  const options = { lock: "network", timeout: 600 };
  const commands = nodes.map((node, index) => {
    const { nodeName, connection, installed, deletedWith } = node;
    const shared = pulumi.output({
      all: addresses,
      internalIp: node.internalIp,
      nodePodCidr: node.podCidr,
      podCidr: cluster.podCidr,
      plan,
      mtu,
      generation,
    });
    const applied = new command.remote.Command(
      `${name}-${nodeName}`,
      {
        connection: connectionTo(nodeName, connection),
        create: remoteCommand("create", options),
        delete: remoteCommand("delete", options),
        stdin: shared.apply(({ all, plan: chosen, ...input }) =>
          scriptText({
            create: nodeScript(chosen, {
              ...input,
              // Only the plain bridge and flannel beside it need to know the peers; to the others a new one is no news.
              peers: chosen.ownEgress ? all.filter((other) => other.nodeName !== nodeName) : [],
            }),
            delete: removeNetworkScript(chosen, { nodeName, podCidr: input.podCidr }),
          }),
        ),
        addPreviousOutputInEnv: false,
        logging: command.remote.Logging.Stderr,
      },
      { parent, dependsOn: [installed, change, ...images.slice(index, index + 1)], deletedWith },
    );
    return { nodeName, applied };
  });
  const mtus = pulumi
    .all(commands.map(({ nodeName, applied }) => applied.stdout.apply((out) => [nodeName, parseNode(out).mtu])))
    .apply((entries) => Object.fromEntries(entries) as Record<string, number>);
  return { commands: commands.map(({ applied }) => applied), mtus, generation };
}

/** The last step of every network: its agents run, every node is Ready, and pods that a change of network ended are back. */
export function enableNetwork(
  network: pulumi.Resource,
  name: string,
  cluster: Cluster,
  plan: pulumi.Output<NetworkPlan>,
  prepared: Prepared,
  objects: readonly pulumi.Resource[],
): command.remote.Command {
  const { controlPlane } = cluster;
  return new command.remote.Command(
    `${name}-ready`,
    {
      connection: connectionTo(controlPlane.nodeName, controlPlane.connection),
      create: remoteCommand("create", { lock: "ready", timeout: 900 }),
      stdin: pulumi
        .all([plan, prepared.generation])
        .apply(([value, generation]) =>
          scriptText({ create: `# ${generation}\n${enableScript(value, Object.keys(cluster.nodes))}` }),
        ),
      addPreviousOutputInEnv: false,
      logging: command.remote.Logging.Stderr,
    },
    {
      parent: network,
      dependsOn: [...prepared.commands, ...objects, ...cluster.registered],
      deletedWith: controlPlane.deletedWith,
    },
  );
}
