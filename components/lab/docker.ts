import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { ADDRESS_LABEL, isOf, LAB_LABEL, OWNER_LABEL, type Whose } from "./inputs";

const execute = promisify(execFile);

/** Seconds in which an engine that works has answered whatever a lab asks of it. */
const ANSWER_SECONDS = 180;

/** Variables by which somebody reaches an engine of their own, and which would keep the client from the one that is named. */
export const OTHERS = ["DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION"];

/** Environment in which the docker client talks to this engine; without one, to the one that it finds itself. */
export function engineEnv(dockerHost: string | undefined): NodeJS.ProcessEnv {
  if (dockerHost === undefined) {
    return process.env;
  }
  const own = Object.entries(process.env).filter(
    ([name]) => dockerHost === process.env["DOCKER_HOST"] || !OTHERS.includes(name),
  );
  return { ...Object.fromEntries(own), DOCKER_HOST: dockerHost };
}

/** Name of an engine in a message. */
export function engineName(dockerHost: string | undefined): string {
  return dockerHost ?? process.env["DOCKER_HOST"] ?? "of this machine";
}

/** A docker client's answer. Throws with what it said, naming the engine where that does not answer. */
export async function docker(
  dockerHost: string | undefined,
  args: readonly string[],
  seconds = ANSWER_SECONDS,
): Promise<string> {
  try {
    const options = { env: engineEnv(dockerHost), maxBuffer: 2 ** 26, timeout: seconds * 1000 };
    return (await execute("docker", args, options)).stdout.trim();
  } catch (error) {
    throw new Error(whyNot(dockerHost, args, error, seconds), { cause: error });
  }
}

function whyNot(dockerHost: string | undefined, args: readonly string[], error: unknown, seconds: number): string {
  const { stderr, code, killed } = error as { stderr?: string; code?: unknown; killed?: boolean };
  const engine = `the container engine ${engineName(dockerHost)}`;
  if (code === "ENOENT") {
    return `there is no docker client on the PATH to ask ${engine} with; install it (Debian: docker.io)`;
  }
  if (killed === true) {
    return `${engine} has not answered "docker ${args.slice(0, 2).join(" ")}" within ${String(seconds)} s; see whether it works: docker info`;
  }
  const said = stderr?.trim() ?? "";
  if (
    /cannot connect|failed to connect|is the docker daemon running|connection refused|error during connect/i.test(said)
  ) {
    return `${engine} does not answer: start it (or set DOCKER_HOST to the one that is meant), then try again. It said:\n  ${said}`;
  }
  return said === "" ? String(error) : said;
}

/** A container as a list of the engine has it. */
export interface ListedContainer {
  readonly id: string;
  readonly name: string;
  /** `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`. */
  readonly state: string;
  /** Names of its networks. */
  readonly networks: readonly string[];
  /** The lab that it belongs to; empty when that is none. */
  readonly lab: string;
  /** The mark of the stack that it is of; empty when it bears none. */
  readonly owner: string;
  /** Its address by its label; empty where it has none. */
  readonly address: string;
}

const CONTAINER = ["{{.ID}}", "{{.Names}}", "{{.State}}", "{{.Networks}}"]
  .concat([LAB_LABEL, OWNER_LABEL, ADDRESS_LABEL].map((label) => `{{.Label "${label}"}}`))
  .join("	");

async function containers(dockerHost: string | undefined, filter: string): Promise<ListedContainer[]> {
  // A list says of what is not there that it is not there; an error says nothing of it.
  const text = await docker(dockerHost, ["ps", "-a", "--no-trunc", "--filter", filter, "--format", CONTAINER]);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [id = "", name = "", state = "", networks = "", lab = "", owner = "", address = ""] = line.split("\t");
      return { id, name, state, networks: networks.split(",").filter((word) => word !== ""), lab, owner, address };
    });
}

/** The container with this name; undefined where the engine says that there is none. */
export async function containerNamed(
  dockerHost: string | undefined,
  name: string,
): Promise<ListedContainer | undefined> {
  return (await containers(dockerHost, `name=^/?${name}$`)).find((container) => container.name === name);
}

/** All containers of labs of this name, whichever stack made them and in whatever state. */
export async function labelledContainers(dockerHost: string | undefined, labName: string): Promise<ListedContainer[]> {
  return containers(dockerHost, `label=${LAB_LABEL}=${labName}`);
}

/** All containers of a lab, in whatever state. */
export async function containersOf(dockerHost: string | undefined, whose: Whose): Promise<ListedContainer[]> {
  const found = await labelledContainers(dockerHost, whose.labName);
  return found.filter((container) => isOf(container, whose));
}

/** Number of nodes that run, of all labs of the engine. */
export async function allNodes(dockerHost: string | undefined): Promise<number> {
  return (await containers(dockerHost, `label=${LAB_LABEL}`)).filter(({ state }) => state === "running").length;
}

/** Names of the labs that an engine has containers of, in whatever state. */
export async function labsOf(dockerHost: string | undefined): Promise<string[]> {
  return [...new Set((await containers(dockerHost, `label=${LAB_LABEL}`)).map(({ lab }) => lab))].sort();
}

/** Words that label what a lab makes. */
export function labelWords({ labName, owner }: Whose): string[] {
  const marks = [`${LAB_LABEL}=${labName}`, ...(owner === undefined ? [] : [`${OWNER_LABEL}=${owner}`])];
  return marks.flatMap((mark) => ["--label", mark]);
}

/** Whether the engine has a network of this name. */
export async function hasNetwork(dockerHost: string | undefined, name: string): Promise<boolean> {
  const names = await docker(dockerHost, ["network", "ls", "--filter", `name=^${name}$`, "--format", "{{.Name}}"]);
  return names.split("\n").includes(name);
}

/** Whether the engine has an image, by any of its names. */
export async function hasImage(dockerHost: string | undefined, image: string): Promise<boolean> {
  try {
    await docker(dockerHost, ["image", "inspect", "--format", "{{.Id}}", image]);
    return true;
  } catch (error) {
    // The engine's own answer, which an engine that is down cannot give.
    if (/no such image/i.test(String(error))) {
      return false;
    }
    throw error;
  }
}

/**
 * Throws when this engine knows nothing of a lab whose bridge this host has: the lab is in another engine, and what is asked here
 * says nothing of it.
 */
export async function assertItsEngine(dockerHost: string | undefined, network: string): Promise<void> {
  if (existsSync(`/sys/class/net/${network}`) && !(await hasNetwork(dockerHost, network))) {
    throw new Error(
      `the container engine ${engineName(dockerHost)} has no network ${network}, but this host has its bridge: the lab is in another engine. ` +
        `Set DOCKER_HOST to that one; if it is gone for good, remove what is left of it: ip link delete ${network}`,
    );
  }
}
