import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { messageOf, InvalidInputError } from "../args/validate";
import { type Look, waitUntil } from "../args/wait";
import {
  assertItsEngine,
  containersOf,
  docker,
  engineName,
  hasNetwork,
  labelWords,
  type ListedContainer,
} from "./docker";
import {
  chooseSubnet,
  HOST_ROUTES,
  isInSubnet,
  type HostRoute,
  labIdentity,
  parseHostRoutes,
  subnetProblems,
} from "./identity";
import { isOf, LAB_LABEL, type LabNetworkInput, OWNER_LABEL, ownerText } from "./inputs";

/** Folder in which the kernel shows a host's links. */
const LINKS = "/sys/class/net";

/** Seconds that an engine may take to let go of what is being removed. */
const REMOVAL_SECONDS = 60;

function hostRoutes(): HostRoute[] {
  return parseHostRoutes(execFileSync("ip", HOST_ROUTES, { encoding: "utf8" }));
}

/**
 * Makes the lab's network, or leaves it when it is there, and returns its subnet. Nodes of the lab that are there already are put
 * into it. Refuses a subnet that a route of the host overlaps, before anything is made, and an engine whose bridge is not this
 * host's.
 */
export async function makeLabNetwork(input: LabNetworkInput, links = LINKS): Promise<string> {
  const { dockerHost, network } = input;
  const there = await hasNetwork(dockerHost, network);
  const subnet = there ? await subnetOf(input) : await createNetwork(input, links);
  for (const container of await containersOf(dockerHost, input)) {
    // One with an address of another subnet is to be made anew.
    if (container.address !== "" && isInSubnet(container.address, subnet)) {
      await connect(dockerHost, network, container);
    }
  }
  return subnet;
}

/** The labels and the subnet of a network that is there. */
export async function lookAtNetwork(
  dockerHost: string | undefined,
  network: string,
): Promise<{ readonly lab: string; readonly owner: string; readonly subnet: string }> {
  const label = (name: string): string => `{{index .Labels "${name}"}}`;
  const format = `${label(LAB_LABEL)}\t${label(OWNER_LABEL)}\t{{(index .IPAM.Config 0).Subnet}}`;
  const text = await docker(dockerHost, ["network", "inspect", network, "--format", format]);
  const [lab = "", owner = "", subnet = ""] = text.split("\t");
  return { lab, owner, subnet };
}

/** The subnet of a network that is there. Throws when it is somebody else's, or not as it was asked for. */
async function subnetOf(input: LabNetworkInput): Promise<string> {
  const { dockerHost, network, subnet } = input;
  const seen = await lookAtNetwork(dockerHost, network);
  if (!isOf(seen, input)) {
    throw new Error(
      `docker network ${network} belongs to ${ownerText(seen, input)}; name this lab otherwise (labName), or remove that one first: ` +
        `pulumi destroy in its own stack, or docker network rm ${network}`,
    );
  }
  if (subnet !== undefined && subnet !== seen.subnet) {
    throw new Error(
      `docker network ${network} has the subnet ${seen.subnet}, not ${subnet}; remove it (docker network rm ${network}) or name this lab otherwise`,
    );
  }
  return seen.subnet;
}

async function createNetwork(input: LabNetworkInput, links: string): Promise<string> {
  const { labName, dockerHost, network, subnet: asked } = input;
  await assertItsEngine(dockerHost, network);
  const identity = { ...labIdentity(labName), bridge: network };
  const problems = asked === undefined ? [] : subnetProblems(asked, hostRoutes(), identity);
  if (problems.length > 0) {
    throw new InvalidInputError("Lab args", problems);
  }
  const subnet = asked ?? chooseSubnet(identity, hostRoutes());
  const options = ["--driver", "bridge", "--subnet", subnet, "--opt", `com.docker.network.bridge.name=${network}`];
  await docker(dockerHost, ["network", "create", ...options, ...labelWords(input), network]);
  if (!existsSync(join(links, network))) {
    await docker(dockerHost, ["network", "rm", network]);
    throw new Error(
      `the container engine ${engineName(dockerHost)} is on another machine or in a network of its own (as rootless Docker and Docker ` +
        `Desktop are), and the lab's nodes are reached over this host's bridge. Its network ${network} was removed again. Use an engine ` +
        `of this host itself: set dockerHost or DOCKER_HOST to it, such as unix:///var/run/docker.sock`,
    );
  }
  return subnet;
}

/** Puts a node into the lab's network at its address, where it is not in it. */
export async function connect(
  dockerHost: string | undefined,
  network: string,
  { id, address, networks }: ListedContainer,
): Promise<void> {
  if (address !== "" && !(networks.includes(network) && (await isIn(dockerHost, network, id)))) {
    // A container remembers a network that went by its id, and would not start for want of it.
    await docker(dockerHost, ["network", "disconnect", "--force", network, id]).catch(() => undefined);
    await docker(dockerHost, ["network", "connect", "--ip", address, network, id]);
  }
}

/** Whether the network that a container names is the one that is there now, and no earlier one of this name. */
async function isIn(dockerHost: string | undefined, network: string, id: string): Promise<boolean> {
  const format = `{{(index .NetworkSettings.Networks "${network}").NetworkID}}`;
  const [seen, now] = await Promise.all([
    docker(dockerHost, ["container", "inspect", "--format", format, id]),
    docker(dockerHost, ["network", "inspect", "--format", "{{.Id}}", network]),
  ]);
  // A container that never started has no id there yet.
  return seen === "" || seen === now;
}

/**
 * Removes the lab's network. Nodes that are still in it lose their link and nothing else: they come back into the next network of
 * this name, and what a killed update left of them is removed with the lab.
 */
export async function removeLabNetwork(input: LabNetworkInput): Promise<void> {
  const { dockerHost, network } = input;
  await assertItsEngine(dockerHost, network);
  const what = `docker network ${network} of the container engine ${engineName(dockerHost)} cannot be removed`;
  await waitUntil({ what, seconds: REMOVAL_SECONDS, say: console.error }, async (): Promise<Look<true>> => {
    if (!(await hasNetwork(dockerHost, network))) {
      return { value: true };
    }
    const seen = await lookAtNetwork(dockerHost, network);
    if (!isOf(seen, input)) {
      throw new Error(`docker network ${network} belongs to ${ownerText(seen, input)}, so it stays`);
    }
    for (const { id, networks } of await containersOf(dockerHost, input)) {
      if (networks.includes(network)) {
        await docker(dockerHost, ["network", "disconnect", "--force", network, id]).catch(() => undefined);
      }
    }
    try {
      await docker(dockerHost, ["network", "rm", network]);
    } catch (error) {
      // One that is just being started holds the network for a moment.
      if (/active endpoints/.test(messageOf(error))) {
        return { reason: messageOf(error) };
      }
      throw error;
    }
    return { value: true };
  });
}
