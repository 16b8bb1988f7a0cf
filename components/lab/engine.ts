import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { z } from "zod";
import { InvalidInputError } from "../args/validate";
import { chooseSubnet, HOST_ROUTES, type HostRoute, labIdentity, parseHostRoutes, subnetProblems } from "./identity";

const execute = promisify(execFile);

/** Label on everything a lab makes; its value is the lab's name. */
export const LAB_LABEL = "podnet.lab";

/** What every command of a lab is told. */
const common = { labName: z.string(), dockerHost: z.string().optional(), network: z.string() };

/** Input of the command that makes a lab's network. */
export const labNetworkInput = z.strictObject({
  ...common,
  /** Network of the nodes; without it a free one is chosen. */
  subnet: z.string().optional(),
});
/** Input of the command that makes a lab's network. */
export type LabNetworkInput = z.output<typeof labNetworkInput>;

/** Input of the command that makes a lab's node. */
export const labNodeInput = z.strictObject({
  ...common,
  nodeName: z.string(),
  address: z.string(),
  image: z.string(),
  publicKey: z.string(),
  /** Folder of this machine that the node sees read-only at the same path. */
  mirrorDir: z.string().optional(),
});
/** Input of the command that makes a lab's node. */
export type LabNodeInput = z.output<typeof labNodeInput>;

/** A docker client's answer. Throws with what it said. */
async function docker(dockerHost: string | undefined, args: readonly string[]): Promise<string> {
  const env = { ...process.env, ...(dockerHost !== undefined && { DOCKER_HOST: dockerHost }) };
  try {
    return (await execute("docker", args, { env, maxBuffer: 2 ** 26 })).stdout.trim();
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim();
    throw new Error(said === undefined || said === "" ? String(error) : said, { cause: error });
  }
}

/** Like {@link docker}; undefined where the engine knows no such thing. Another failure is one. */
async function inspect(dockerHost: string | undefined, args: readonly string[]): Promise<string | undefined> {
  try {
    return await docker(dockerHost, args);
  } catch (error) {
    if (/no such (object|network|container)|not found/i.test(String(error))) {
      return undefined;
    }
    throw error;
  }
}

/** Makes an SSH key pair in OpenSSH form. The private key is a secret. */
export function makeKeys(): { readonly privateKey: string; readonly publicKey: string } {
  const folder = mkdtempSync(join(tmpdir(), "podnet-keys-"));
  try {
    const file = join(folder, "key");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "podnet", "-f", file]);
    return { privateKey: readFileSync(file, "utf8"), publicKey: readFileSync(`${file}.pub`, "utf8").trim() };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function hostRoutes(): HostRoute[] {
  return parseHostRoutes(execFileSync("ip", HOST_ROUTES, { encoding: "utf8" }));
}

/**
 * Makes the lab's network, or leaves it when it is there, and returns its subnet. Refuses a subnet that a route of the host
 * overlaps, before anything is made.
 */
export async function makeLabNetwork(input: LabNetworkInput): Promise<string> {
  const { labName, dockerHost, network } = input;
  const format = `{{(index .IPAM.Config 0).Subnet}} {{index .Labels "${LAB_LABEL}"}}`;
  const seen = await inspect(dockerHost, ["network", "inspect", network, "--format", format]);
  const [seenSubnet = "", seenLab] = seen?.split(" ") ?? [];
  if (seenLab === labName && (input.subnet === undefined || input.subnet === seenSubnet)) {
    return seenSubnet;
  }
  if (seen !== undefined) {
    throw new Error(
      `docker network ${network} exists with subnet and lab ${seen}; remove it (docker network rm ${network}) or name this lab otherwise`,
    );
  }
  const identity = { ...labIdentity(labName), bridge: network };
  const problems = input.subnet === undefined ? [] : subnetProblems(input.subnet, hostRoutes(), identity);
  if (problems.length > 0) {
    throw new InvalidInputError("Lab args", problems);
  }
  const subnet = input.subnet ?? chooseSubnet(identity, hostRoutes());
  const options = ["--driver", "bridge", "--subnet", subnet, "--opt", `com.docker.network.bridge.name=${network}`];
  await docker(dockerHost, ["network", "create", ...options, "--label", `${LAB_LABEL}=${labName}`, network]);
  return subnet;
}

/** Removes the lab's network, if it is there. */
export async function removeLabNetwork({ dockerHost, network }: LabNetworkInput): Promise<void> {
  if ((await inspect(dockerHost, ["network", "inspect", network])) !== undefined) {
    await docker(dockerHost, ["network", "rm", network]);
  }
}

/** Name of a node's container. */
export function containerOf({ labName, nodeName }: Pick<LabNodeInput, "labName" | "nodeName">): string {
  return `${labName}-${nodeName}`;
}

/**
 * Options that let a container be a machine. Without CAP_SYS_RESOURCE (number 24) an engine cannot make privileged containers,
 * and gets what systemd, containerd and the kubelet need piece by piece.
 */
function rights(): string[] {
  const bounding = /^CapBnd:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  if (((BigInt(`0x${bounding}`) >> 24n) & 1n) === 1n) {
    return ["--privileged"];
  }
  const unconfined = ["seccomp", "apparmor", "systempaths"].flatMap((what) => ["--security-opt", `${what}=unconfined`]);
  return ["--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE", ...unconfined, "--device-cgroup-rule", "a *:* rwm"];
}

/** Writes the node's own host key and the lab's login key where its sshd reads them. */
function placeKeys(dockerHost: string | undefined, container: string, publicKey: string): string {
  const folder = mkdtempSync(join(tmpdir(), "podnet-node-"));
  try {
    const ssh = join(folder, "root", "etc", "ssh");
    const login = join(folder, "root", "root", ".ssh");
    mkdirSync(ssh, { recursive: true });
    mkdirSync(login, { recursive: true, mode: 0o700 });
    const hostKey = join(ssh, "ssh_host_ed25519_key");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", hostKey]);
    writeFileSync(join(login, "authorized_keys"), `${publicKey}\n`, { mode: 0o600 });
    const archive = join(folder, "archive.tar");
    const paths = ["etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_ed25519_key.pub", "root/.ssh"];
    const numeric = ["--owner=0", "--group=0", "--numeric-owner"];
    execFileSync("tar", ["-C", join(folder, "root"), ...numeric, "-cf", archive, ...paths]);
    const env = { ...process.env, ...(dockerHost !== undefined && { DOCKER_HOST: dockerHost }) };
    execFileSync("docker", ["cp", "-", `${container}:/`], {
      env,
      input: readFileSync(archive),
      stdio: ["pipe", "ignore", "pipe"],
    });
    return readFileSync(`${hostKey}.pub`, "utf8").split(" ").slice(0, 2).join(" ").trim();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether something that calls itself SSH answers at an address. */
function answersSsh(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: address, port: 22, timeout: 2000 });
    const done = (yes: boolean): void => {
      socket.destroy();
      resolve(yes);
    };
    socket.once("data", (data) => done(data.toString("latin1").startsWith("SSH-")));
    socket.once("timeout", () => done(false));
    socket.once("error", () => done(false));
  });
}

/** Seconds that a node may take from the start of its container to its sshd's answer. */
const BOOT_SECONDS = 60;

async function awaitSsh(input: LabNodeInput, container: string): Promise<void> {
  const began = Date.now();
  for (;;) {
    if (await answersSsh(input.address)) {
      return;
    }
    const seconds = Math.round((Date.now() - began) / 1000);
    const state = await docker(input.dockerHost, [
      "inspect",
      container,
      "--format",
      "{{.State.Status}} {{.State.ExitCode}}",
    ]);
    if (!state.startsWith("running") || seconds >= BOOT_SECONDS) {
      const said = await docker(input.dockerHost, ["logs", "--tail", "20", container]).catch(String);
      const why = state.startsWith("running") ? `did not answer on ${input.address}:22` : `ended (${state})`;
      throw new Error(
        `lab node ${input.nodeName} ${why} after ${String(seconds)} s; what its container printed:\n${said}`,
      );
    }
    await sleep(100);
  }
}

/**
 * Makes and boots one lab node, and returns its public host key once its sshd answers. A container of this name that is left
 * from an interrupted run is replaced; another lab's is refused.
 */
export async function makeLabNode(input: LabNodeInput): Promise<string> {
  const { labName, dockerHost, network, nodeName, address, image, mirrorDir } = input;
  const container = containerOf(input);
  const owner = await inspect(dockerHost, [
    "inspect",
    container,
    "--format",
    `{{index .Config.Labels "${LAB_LABEL}"}}`,
  ]);
  if (owner !== undefined && owner !== labName) {
    throw new Error(
      `container ${container} belongs to lab ${owner}; remove it (docker rm -f -v ${container}) or name this lab otherwise`,
    );
  }
  if ((await inspect(dockerHost, ["image", "inspect", image])) === undefined) {
    const engine = dockerHost ?? process.env["DOCKER_HOST"] ?? "of this machine";
    throw new Error(
      `node image ${image} is not in the container engine ${engine}; "make up" in podnet's folder makes it`,
    );
  }
  if (owner !== undefined) {
    await docker(dockerHost, ["rm", "-f", "-v", container]);
  }
  const volumes = ["/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd"].flatMap((path) => ["--volume", path]);
  const mirror =
    mirrorDir !== undefined && statSync(mirrorDir).isDirectory() ? ["--volume", `${mirrorDir}:${mirrorDir}:ro`] : [];
  await docker(dockerHost, [
    "create",
    ...["--name", container, "--hostname", nodeName, "--network", network, "--ip", address],
    ...["--label", `${LAB_LABEL}=${labName}`, ...rights(), "--cgroupns=private"],
    ...["--tmpfs", "/run:exec", "--tmpfs", "/run/lock", "--tmpfs", "/tmp:exec", ...volumes, ...mirror],
    ...["--stop-signal", "SIGRTMIN+3", "--restart", "no", image],
  ]);
  const hostKey = placeKeys(dockerHost, container, input.publicKey);
  await docker(dockerHost, ["start", container]);
  await awaitSsh(input, container);
  return hostKey;
}

/** The public host key of a node that is there. */
export function labNodeHostKey(input: LabNodeInput): Promise<string> {
  const file = "/etc/ssh/ssh_host_ed25519_key.pub";
  return docker(input.dockerHost, ["exec", containerOf(input), "cut", "-d ", "-f1,2", file]);
}

/** Removes one lab node with its volumes, if it is there. */
export async function removeLabNode(input: LabNodeInput): Promise<void> {
  const container = containerOf(input);
  if ((await inspect(input.dockerHost, ["inspect", container])) !== undefined) {
    await docker(input.dockerHost, ["rm", "-f", "-v", container]);
  }
}
