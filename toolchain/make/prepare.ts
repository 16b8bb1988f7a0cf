import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { hasImage, labelledContainers } from "../../components/lab/docker";
import { makeRoom } from "../../components/lab/host";
import { cidrText } from "../../components/args/schemas";
import { chooseSubnet, HOST_ROUTES, type LabIdentity, parseHostRoutes } from "../../components/lab/identity";
import { AGENT_NETWORKS, type AgentNetwork } from "../supply/agents";
import { recordClone } from "../host/clone";
import { cloneLab, configText, labOf, ownSettings } from "../host/cloneLab";
import { findEngine } from "../host/engine";
import { openOutside } from "../host/ownEngine";
import { must } from "../host/exec";
import type { ClonePaths } from "../host/paths";
import type { Progress } from "../host/progress";
import { ensurePackages } from "../host/system";
import { ensureNetworkImages } from "../supply/networkimages";
import { ensureSetup, type Setup } from "../supply/setup";
import { mirrorsDir } from "../supply/folders";
import type { Toolchain } from "../supply/toolchain";
import { stackEnv } from "./env";
import { Stack } from "./stack";
import { readWritten } from "../host/written";

/** The clone that a command works in, and how it shows its progress. */
export interface Context {
  readonly project: string;
  readonly paths: ClonePaths;
  readonly cache: string;
  readonly identity: LabIdentity;
  readonly progress: Progress;
}

/** What a stack needs before its first update. */
export interface Ready {
  readonly toolchain: Toolchain;
  readonly dockerHost: string;
  readonly stack: Stack;
  /** Environment of the stack. */
  readonly env: Readonly<Record<string, string>>;
}

/** The network that a stack's config asks for, where that is one with images of its own. */
async function chosenNetworks(stack: Stack): Promise<AgentNetwork[]> {
  const chosen = await stack.setting("network");
  return AGENT_NETWORKS.filter((network) => network === chosen);
}

/** Number of nodes that a stack's config file asks for in a lab: three unless it says otherwise, none where it has hosts. */
export function labNodesIn(config: string): number {
  if (/^\s+podnet:hosts:/m.test(config)) {
    return 0;
  }
  const [, nodes = ""] = /^\s+podnet:nodes:\s*'?(\{.*\})'?\s*$/m.exec(config) ?? [];
  try {
    return Object.keys(JSON.parse(nodes) as object).length;
  } catch {
    return 3;
  }
}

/** Looks whether this machine has room for a lab that is not there yet, before anything is fetched, built or made for it. */
function lookForRoom({ project, paths, identity, progress }: Context): void {
  const more = labNodesIn(configText(paths));
  const { name: labName, bridge: network } = labOf(identity, paths);
  if (more > 0 && !existsSync(`/sys/class/net/${network}`)) {
    const room = {
      labName,
      network,
      nodes: more,
      more,
      running: 0,
      engineData: project,
    };
    makeRoom(room, (line) => progress.say(line));
  }
}

/** Whether a clone's lab has nodes in an engine. Without one that answers it may have. */
async function stands({ paths, identity }: Context, dockerHost: string | undefined): Promise<boolean> {
  return dockerHost === undefined || (await labelledContainers(dockerHost, labOf(identity, paths).name)).length > 0;
}

/**
 * The cache that a clone's lab was made from, while that stands and its mirrors are there: its nodes see no other, and another one's
 * would replace every node.
 */
async function cacheOfLab(context: Context): Promise<string> {
  const { paths, identity, cache, progress } = context;
  const mirrors = readWritten(paths.writtenConfig).settings["mirrorDir"];
  if (mirrors === undefined || mirrors === mirrorsDir(cache) || !existsSync(mirrors)) {
    return cache;
  }
  if (!(await stands(context, await findEngine(identity, paths)))) {
    return cache;
  }
  progress.say(
    `The lab keeps the cache that it was made from, ${dirname(mirrors)}. To use ${cache}: make down, make up`,
  );
  return dirname(mirrors);
}

/**
 * The image of a clone's nodes: the one of the lab that stands, while its cache and the image are there, since another one would
 * replace every node.
 */
async function imageOfLab(context: Context, { toolchain, dockerHost, nodeImage }: Setup): Promise<string> {
  const { nodeImage: own, mirrorDir } = readWritten(context.paths.writtenConfig).settings;
  if (own === undefined || own === nodeImage || mirrorDir !== dirname(toolchain.mirrorDir)) {
    return nodeImage;
  }
  if (!(await stands(context, dockerHost)) || !(await hasImage(dockerHost, own))) {
    return nodeImage;
  }
  context.progress.say(
    `There is a new node image, ${nodeImage}. The lab keeps its own, ${own}. To take it: make down, make up`,
  );
  return own;
}

/**
 * The subnet that a lab was given, whatever has become of the host's routes; else one that neither they nor the cluster's own
 * addresses overlap.
 */
async function subnetOfLab({ identity, paths }: Context): Promise<string> {
  const { labSubnet, podCidr, serviceCidr } = cloneLab(paths);
  if (labSubnet !== undefined) {
    return labSubnet;
  }
  const routes = parseHostRoutes(await must("ip", HOST_ROUTES));
  // What is no CIDR the program refuses.
  const declared = Object.entries({ podCidr, serviceCidr }).flatMap(([key, value]) => {
    const { data } = cidrText.safeParse(value);
    return data === undefined ? [] : [{ destination: data, link: `podnet:${key}` }];
  });
  return chooseSubnet(labOf(identity, paths), [...routes, ...declared]);
}

/**
 * Everything up to the first `pulumi up`: packages, toolchain, engine, node image, stack and its config. `networks` are those
 * whose images are needed; by default the one that the stack's config asks for.
 */
export async function prepare(context: Context, networks?: readonly AgentNetwork[]): Promise<Ready> {
  const { project, paths, identity, progress } = context;
  lookForRoom(context);
  recordClone(paths, identity);
  await ensurePackages(progress);
  const cache = await cacheOfLab(context);
  const setup = await ensureSetup({ project, cache, progress }, identity, paths);
  const { toolchain, dockerHost } = setup;
  const labSubnet = await subnetOfLab(context);
  const env = stackEnv(paths, toolchain.binDirs, dockerHost, labSubnet);
  const stack = await Stack.ensure(paths, env);
  const wanted = networks ?? (await chosenNetworks(stack));
  const checksums = await ensureNetworkImages({ project, cache, progress }, toolchain, wanted);
  await stack.configure({
    ...ownSettings(paths, { labName: identity.name, labSubnet, dockerHost }),
    nodeImage: await imageOfLab(context, setup),
    mirror: toolchain.mirrorUrl,
    // The folder of all mirrors: nodes that have it see a new one without being made anew.
    mirrorDir: dirname(toolchain.mirrorDir),
    checksums: JSON.stringify(checksums),
  });
  await openOutside(identity, paths, dockerHost, labSubnet);
  return { toolchain, dockerHost, stack, env };
}
