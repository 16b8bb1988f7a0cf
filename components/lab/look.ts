import { assertItsEngine, containerNamed, docker, hasNetwork, type ListedContainer } from "./docker";
import { answersSsh, awaitSsh } from "./engine";
import { containerOf, isOf, type LabNetworkInput, type LabNodeInput } from "./inputs";
import { connect, makeLabNetwork } from "./network";

/** A lab as a stack's state has it. */
export interface DeclaredLab {
  readonly network: LabNetworkInput | undefined;
  readonly nodes: readonly LabNodeInput[];
}

/** What is not as it was made, of a lab's node. */
export interface NodeFault {
  readonly node: LabNodeInput;
  /** Its container; undefined where that is gone. */
  readonly container: ListedContainer | undefined;
  /** What a reader is told, after the node's name. */
  readonly text: string;
}

/** What is not as it was made, of a whole lab. */
export interface LabFaults {
  /** Whether its network is gone. */
  readonly networkGone: boolean;
  readonly nodes: readonly NodeFault[];
}

/** Looks at what a lab is made of, by the engine and not inside of nodes, and changes nothing. Throws where no engine answers. */
export async function lookAtLab({ network, nodes }: DeclaredLab): Promise<LabFaults> {
  if (network !== undefined) {
    await assertItsEngine(network.dockerHost, network.network);
  }
  const [there, faults] = await Promise.all([
    network === undefined || hasNetwork(network.dockerHost, network.network),
    Promise.all(nodes.map(lookAtNode)),
  ]);
  return { networkGone: !there, nodes: faults.filter((fault) => fault !== undefined) };
}

async function lookAtNode(node: LabNodeInput): Promise<NodeFault | undefined> {
  const name = containerOf(node);
  const container = await containerNamed(node.dockerHost, name);
  if (container === undefined || !isOf(container, node)) {
    return { node, container: undefined, text: `its container ${name} is gone` };
  }
  const { state, networks } = container;
  if (["created", "removing", "dead"].includes(state)) {
    return { node, container: undefined, text: `its container ${name} is ${state}, and no machine any more` };
  }
  if (state !== "running") {
    return { node, container, text: `its container ${name} is ${state === "exited" ? "stopped" : state}` };
  }
  if (!networks.includes(node.network)) {
    return { node, container, text: `its container ${name} is not in the network ${node.network}` };
  }
  return (await answersSsh(node.address))
    ? undefined
    : { node, container, text: `its container ${name} runs, but nothing answers on ${node.address}:22` };
}

/** What is wrong with a lab, a line each; none where all is as it was made. */
export function faultLines({ network }: DeclaredLab, { networkGone, nodes }: LabFaults): string[] {
  return [
    ...(networkGone ? [`the lab's network ${network?.network ?? ""} is gone`] : []),
    ...nodes.map(({ node, text }) => `lab node ${node.nodeName}: ${text}`),
  ];
}

/**
 * Mends what the engine can: makes the network again and puts the nodes into it, lets paused nodes go on, starts stopped ones, and
 * waits for their sshd. Nodes whose container is gone are not its business: they have to be made anew.
 */
export async function mendLab({ network }: DeclaredLab, { networkGone, nodes }: LabFaults): Promise<void> {
  if (networkGone && network !== undefined) {
    await makeLabNetwork(network);
  }
  const mended = nodes.map(async ({ node, container }) => {
    if (container === undefined) {
      return;
    }
    const { dockerHost } = node;
    if (container.state === "paused") {
      await docker(dockerHost, ["unpause", container.id]);
    }
    // By its state at the look: one that was in the network that went is put into the new one by that.
    const now = (await containerNamed(dockerHost, container.name)) ?? container;
    await connect(dockerHost, node.network, { ...now, address: node.address });
    if (container.state === "exited") {
      await docker(dockerHost, ["start", container.id]);
    }
    await awaitSsh(node, container.id);
  });
  const failed = (await Promise.allSettled(mended)).filter((result) => result.status === "rejected");
  if (failed.length > 0) {
    throw new Error(failed.map(({ reason }) => (reason instanceof Error ? reason.message : String(reason))).join("\n"));
  }
}
