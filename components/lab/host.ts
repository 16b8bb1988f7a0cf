import { randomBytes } from "node:crypto";
import { type Look, waitUntil } from "../args/wait";
import {
  allNodes,
  assertItsEngine,
  containersOf,
  docker,
  hasNetwork,
  labelledContainers,
  type ListedContainer,
} from "./docker";
import { isInSubnet, nodeAddress } from "./identity";
import { containerOf, isOf, type LabHostInput, type LabInput, ownerText, type Whose } from "./inputs";
import { limitText, tooLow, type TooLow } from "./limits";
import { lookAtNetwork, removeLabNetwork } from "./network";
import { enterHost, isOvertaken, leaveHost, nodesOfOthers, raise, RAISED } from "./raised";
import { HOST_FILES, type HostFiles, sharedLimits } from "./usage";

/** Seconds that an engine may take to remove a lab's containers. */
const REMOVAL_SECONDS = 120;

/** What a host needs room for. */
export interface Room {
  readonly labName: string;
  /** Link name of the lab's bridge. */
  readonly network: string;
  /** Number of the lab's nodes. */
  readonly nodes: number;
  /** Number of those that do not run yet. */
  readonly more: number;
  /** Number of lab nodes that run, of all labs. */
  readonly running: number;
  /** Folder of the engine's data, where that is known. */
  readonly engineData?: string;
  /** The run of the lab's host resource that asks, where it is one. */
  readonly run?: string;
}

/** The machine that is looked at, and what podnet may do there; tests have one of their own. */
export interface Place {
  readonly files: HostFiles;
  /** Folder that keeps what was raised. */
  readonly raised: string;
  /** Whether limits may be raised. */
  readonly root: boolean;
}

const HERE: Place = { files: HOST_FILES, raised: RAISED, root: process.getuid?.() === 0 };

/**
 * Looks whether the host has room for more nodes, before anything of them is made. Raises what is too low where that is allowed,
 * and says so; throws one error with all that is in the way.
 */
export function makeRoom(
  { labName, network, nodes, more, running, engineData, run }: Room,
  say: (line: string) => void = console.error,
  { files, raised, root }: Place = HERE,
): void {
  const entered = enterHost(labName, { bridge: network, nodes, run }, raised);
  // What other labs are only making is not in use yet, but will be.
  const others = Math.max(nodesOfOthers(labName, raised), root ? 0 : running);
  const low = (): TooLow[] => tooLow(sharedLimits(files, others, engineData), more);
  for (const limit of root ? low() : []) {
    const done = raise(limit, raised);
    if (done !== undefined) {
      say(done);
    }
  }
  const left = low();
  if (left.length > 0) {
    if (entered) {
      leaveHost(labName, raised).forEach(say);
    }
    const lines = left.map((limit) => `  ${limitText(limit, more)}`).join("\n");
    throw new Error(`this machine has no room for ${String(more)} more lab nodes; nothing was made:\n${lines}`);
  }
}

/** The labels and the subnet of the network that bears a lab's name, where there is one. */
async function seenNetwork({
  dockerHost,
  network,
}: LabInput): Promise<Awaited<ReturnType<typeof lookAtNetwork>> | undefined> {
  return (await hasNetwork(dockerHost, network)) ? lookAtNetwork(dockerHost, network) : undefined;
}

/** The network that bears a lab's name, where it is another stack's. */
async function foreignNetwork(input: LabInput): Promise<string | undefined> {
  const seen = await seenNetwork(input);
  return seen === undefined || isOf(seen, input)
    ? undefined
    : `docker network ${input.network} belongs to ${ownerText(seen, input)}`;
}

/** What another stack has under a lab's name. */
export interface Foreign {
  /** What there is and whose, a line each. */
  readonly lines: readonly string[];
  /** Commands that would remove it. */
  readonly removals: readonly string[];
}

/** What another stack has under a lab's name: its network and its nodes. Undefined where that is nothing. */
export async function foreignLab(input: LabInput): Promise<Foreign | undefined> {
  const { dockerHost, labName, network } = input;
  const [theirNetwork, containers] = await Promise.all([
    foreignNetwork(input),
    labelledContainers(dockerHost, labName),
  ]);
  const theirs = containers.filter((container) => !isOf(container, input));
  const lines = [
    ...(theirNetwork === undefined ? [] : [theirNetwork]),
    ...theirs.map((container) => `container ${container.name} belongs to ${ownerText(container, input)}`),
  ];
  const removals = [
    ...(theirs.length === 0 ? [] : [`docker rm -f -v ${theirs.map(({ name }) => name).join(" ")}`]),
    ...(theirNetwork === undefined ? [] : [`docker network rm ${network}`]),
  ];
  return lines.length === 0 ? undefined : { lines, removals };
}

/** Throws one error with all that another stack has under a lab's name. */
async function refuseForeign(input: LabHostInput): Promise<void> {
  const foreign = await foreignLab(input);
  if (foreign !== undefined) {
    throw new Error(
      `${foreign.lines.join("\n")}\nName this lab otherwise (labName), or remove that one first: pulumi destroy in its own stack, or ${foreign.removals.join("; ")}`,
    );
  }
}

/** Throws where the control plane that is there has another slot: its container would be removed, and all of the cluster with it. */
async function refuseMove(input: LabHostInput, own: readonly ListedContainer[]): Promise<void> {
  const { labName, controlPlane } = input;
  const container = own.find(
    ({ name }) => controlPlane !== undefined && name === containerOf({ labName, ...controlPlane }),
  );
  const subnet = container && (await seenNetwork(input))?.subnet;
  if (controlPlane === undefined || container === undefined || subnet === undefined) {
    return;
  }
  if (isInSubnet(container.address, subnet) && container.address !== nodeAddress(subnet, controlPlane.slot)) {
    throw new Error(
      `lab node ${controlPlane.nodeName}: the control plane has the address ${container.address}, and slot ${String(controlPlane.slot)} would ` +
        `give it ${nodeAddress(subnet, controlPlane.slot)}: podnet does not move a control plane. Nothing was touched. Put its slot back; or make ` +
        `the lab anew with pulumi destroy and pulumi up, which ends all that runs in it`,
    );
  }
}

/**
 * Looks whether a lab's host has room for its nodes, as {@link makeRoom} does. Returns a name for this run. Refuses a name that
 * another stack's lab has, and another slot for a control plane that is there.
 */
export async function prepareHost(input: LabHostInput, say?: (line: string) => void): Promise<string> {
  const { dockerHost, labName, network } = input;
  await assertItsEngine(dockerHost, network);
  await refuseForeign(input);
  const own = await containersOf(dockerHost, input);
  await refuseMove(input, own);
  const [running, engineData] = await Promise.all([
    allNodes(dockerHost),
    docker(dockerHost, ["info", "--format", "{{.DockerRootDir}}"]),
  ]);
  const more = Math.max(0, input.nodes - own.filter(({ state }) => state === "running").length);
  const run = randomBytes(6).toString("hex");
  makeRoom({ labName, network, nodes: input.nodes, more, running, engineData, run }, say);
  return run;
}

/** Removes all containers of a lab, those too that an update was making when it was killed. */
export async function clearNodes(
  input: Whose & { readonly dockerHost?: string | undefined },
  say: (line: string) => void = console.error,
): Promise<void> {
  const { dockerHost, labName } = input;
  const what = `the nodes of lab ${labName} cannot be removed`;
  await waitUntil({ what, seconds: REMOVAL_SECONDS, say }, async (): Promise<Look<true>> => {
    const left = await containersOf(dockerHost, input);
    if (left.length === 0) {
      return { value: true };
    }
    await docker(dockerHost, ["rm", "-f", "-v", ...left.map(({ id }) => id)]).catch((error: unknown) => {
      // One that is just being removed, by a command that outlived its update.
      if (!/already in progress|no such container/i.test(String(error))) {
        throw error;
      }
    });
    return { reason: left.map(({ name }) => name).join(", ") };
  });
}

/**
 * Removes whatever is left of a lab on its host, which a killed update may have been making, and puts back what was raised for it
 * when no other lab is there. Undoes the run that returned `run`, and nothing where a later one stands in its place.
 */
export async function clearHost(
  input: LabInput,
  run: string,
  say: (line: string) => void = console.error,
  raised = RAISED,
): Promise<void> {
  const { labName, dockerHost, network } = input;
  if (isOvertaken(labName, run, raised)) {
    say(`lab ${labName} was made ready anew since: nothing is undone`);
    return;
  }
  await assertItsEngine(dockerHost, network);
  await clearNodes(input, say);
  if ((await foreignNetwork(input)) !== undefined) {
    return;
  }
  await removeLabNetwork(input);
  leaveHost(labName, raised).forEach(say);
}
