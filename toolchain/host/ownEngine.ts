import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readdir, rmdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Look, waitFor, waitUntil } from "../../components/args/wait";
import type { LabIdentity } from "../../components/lab/identity";
import { engineEnv } from "../../components/lab/docker";
import { cloneLab, labOf } from "./cloneLab";
import { must, run } from "./exec";
import { mountsIn } from "./mounts";
import type { ClonePaths } from "./paths";
import { commandLine, isRunning, type ProcessRecord, recordOf, stopProcess } from "./process";
import { ENGINE_NEEDS, installPackages, missingPackages } from "./system";

/** Seconds that an engine may take from its start to its first answer. */
const START_SECONDS = 60;

/** What podnet keeps about the engine it started for a clone. */
interface EngineRecord {
  readonly process: ProcessRecord;
}

/** Folder of an own engine's socket and run-time files. */
function runDir(identity: LabIdentity, { run }: Pick<ClonePaths, "run">): string {
  return join(run, identity.name);
}

/** File in which an own engine writes its process's number. */
function pidfileOf(identity: LabIdentity, paths: Pick<ClonePaths, "run">): string {
  return join(runDir(identity, paths), "docker.pid");
}

/** DOCKER_HOST of a clone's own engine. */
export function ownHost(identity: LabIdentity, paths: Pick<ClonePaths, "run">): string {
  return `unix://${runDir(identity, paths)}/docker.sock`;
}

/**
 * Options of a clone's own engine. It leaves the host's firewall and forwarding alone: the lab needs one bridge and nothing
 * else of it.
 */
export function engineOptions(identity: LabIdentity, paths: ClonePaths): string[] {
  const execRoot = join(runDir(identity, paths), "exec");
  return [
    ...["--host", ownHost(identity, paths), "--pidfile", pidfileOf(identity, paths), "--exec-root", execRoot],
    ...["--data-root", paths.engineData, "--storage-driver", "overlay2"],
    ...["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false"],
    "--userland-proxy=false",
  ];
}

function readRecord(paths: ClonePaths): EngineRecord | undefined {
  try {
    return JSON.parse(readFileSync(paths.engine, "utf8")) as EngineRecord;
  } catch {
    return undefined;
  }
}

/** Notes the process of an own engine. */
function writeRecord(paths: ClonePaths, process: ProcessRecord): void {
  mkdirSync(paths.dotPodnet, { recursive: true });
  writeFileSync(paths.engine, JSON.stringify({ process } satisfies EngineRecord));
}

/** The number in a file that a process wrote its own into; 0 where there is none. */
function numberIn(pidfile: string): number {
  return existsSync(pidfile) ? Number(readFileSync(pidfile, "utf8")) : 0;
}

/** Whether podnet has an engine of its own for a clone, running or not. */
export function hasOwnEngine(paths: ClonePaths): boolean {
  return readRecord(paths) !== undefined;
}

/**
 * The process of a clone's own engine, where that runs. Where the record went with its folder, or a make was killed before it wrote
 * one, it is known by the file in which dockerd writes its number, and is on record again.
 */
export function runningEngine(identity: LabIdentity, paths: ClonePaths): ProcessRecord | undefined {
  const recorded = readRecord(paths)?.process;
  if (recorded !== undefined && isRunning(recorded)) {
    return recorded;
  }
  const pidfile = pidfileOf(identity, paths);
  const pid = numberIn(pidfile);
  const found = isEngine(pid, pidfile) ? recordOf(pid) : undefined;
  if (found && commandLine(pid).includes(paths.engineData)) {
    writeRecord(paths, found);
    return found;
  }
  return undefined;
}

/** Whether a process is a dockerd with this file for its number, which may be another's by now. */
function isEngine(pid: number, pidfile: string): boolean {
  const words = pid > 0 ? commandLine(pid) : [];
  return words.includes(pidfile) && words.some((word) => basename(word) === "dockerd");
}

/** Whether an engine answers. */
export async function answers(host: string): Promise<boolean> {
  return (
    (await run("timeout", ["10", "docker", "version", "--format", "{{.Server.Version}}"], { env: engineEnv(host) }))
      .code === 0
  );
}

/**
 * Waits for the answer of an own engine that runs already, as one does that a make started which was killed meanwhile. One that
 * stays silent is stopped: a second one beside it would find its files in use. Returns whether it answers.
 */
async function takeOver(identity: LabIdentity, paths: ClonePaths, seconds: number): Promise<boolean> {
  const there = runningEngine(identity, paths);
  if (there === undefined) {
    return false;
  }
  const host = ownHost(identity, paths);
  const settled = await waitFor(async () => !isRunning(there) || (await answers(host)), seconds);
  if (settled && isRunning(there)) {
    return true;
  }
  await stopProcess(there);
  return false;
}

/** Starts an engine of the clone's own, its package installed where that is missing, and returns its DOCKER_HOST. */
export async function startEngine(identity: LabIdentity, paths: ClonePaths, seconds = START_SECONDS): Promise<string> {
  await installPackages(await missingPackages(ENGINE_NEEDS));
  const host = ownHost(identity, paths);
  if (await takeOver(identity, paths, seconds)) {
    return host;
  }
  mkdirSync(runDir(identity, paths), { recursive: true });
  const pidfile = pidfileOf(identity, paths);
  const pid = numberIn(pidfile);
  if (isEngine(pid, pidfile)) {
    throw new Error(
      `a container engine of another clone (dockerd, process ${String(pid)}) has ${host}: that clone was in this folder before. ` +
        `Take it down first ("make down" there), or move this clone to another folder`,
    );
  }
  // One that is left names a process that is something else by now, and dockerd would not start beside that.
  rmSync(pidfile, { force: true });
  mkdirSync(paths.engineData, { recursive: true });
  const log = openSync(paths.engineLog, "a");
  const child = spawn("dockerd", engineOptions(identity, paths), { detached: true, stdio: ["ignore", log, log] });
  closeSync(log);
  child.unref();
  const failed = new Promise<never>((_, reject) => {
    child.once("error", (error) => reject(new Error(`dockerd cannot be started: ${error.message}`)));
    child.once("exit", (code) => reject(new Error(`dockerd ended with code ${String(code)}; see ${paths.engineLog}`)));
  });
  failed.catch(() => undefined);
  const before = hasOwnEngine(paths);
  const record = child.pid === undefined ? undefined : recordOf(child.pid);
  if (record) {
    writeRecord(paths, record);
  }
  try {
    await waitUntil({ what: "dockerd does not answer", seconds }, async (): Promise<Look<true>> => {
      const up = await Promise.race([answers(host), failed]);
      return up ? { value: true } : { reason: `see ${paths.engineLog}` };
    });
  } catch (error) {
    // What never ran has nothing in it, so that nothing has to be cleared with it.
    if (!before && runningEngine(identity, paths) === undefined) {
      rmSync(paths.engine, { force: true });
    }
    throw error;
  }
  return host;
}

const FORWARD = "/proc/sys/net/ipv4/ip_forward";
/** What the setting was before the first clone's lab; the last clone's lab puts it back. */
const FORWARD_BEFORE = "/run/podnet.ip_forward";

/** The rule by which what comes from a lab's nodes and leaves the lab has the host's address. */
function outsideRule(bridge: string, subnet: string): string {
  return `ip saddr ${subnet} oifname != "${bridge}" masquerade`;
}

/** The rules that let the nodes of a clone's lab, on this bridge, reach what the host reaches: in a table of the clone's. */
export function outsideRules({ name }: LabIdentity, bridge: string, subnet: string): string {
  return `table ip ${name}
delete table ip ${name}
table ip ${name} {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		${outsideRule(bridge, subnet)}
	}
}
`;
}

/** Lets the nodes of an own engine reach what the host reaches: forwarding, and masquerade in a table of the lab's own. */
export async function openOutside(
  identity: LabIdentity,
  paths: ClonePaths,
  dockerHost: string,
  subnet: string,
): Promise<void> {
  if (dockerHost !== ownHost(identity, paths)) {
    return;
  }
  const { bridge } = labOf(identity, paths);
  const rules = await run("nft", ["list", "table", "ip", identity.name]);
  if (rules.code !== 0 || !rules.stdout.includes(outsideRule(bridge, subnet))) {
    await must("nft", ["-f", "-"], { input: outsideRules(identity, bridge, subnet) });
  }
  const forward = readFileSync(FORWARD, "utf8").trim();
  if (forward === "0") {
    writeFileSync(FORWARD_BEFORE, forward);
    writeFileSync(FORWARD, "1");
  }
}

/** Stops a clone's own engine and takes away what it made: links, rules, cgroups, mounts and files. */
export async function stopEngine(identity: LabIdentity, paths: ClonePaths): Promise<void> {
  await run("nft", ["delete", "table", "ip", identity.name]);
  const runs = runningEngine(identity, paths);
  if (!hasOwnEngine(paths)) {
    return;
  }
  if (runs) {
    await stopProcess(runs);
  }
  const others = (await run("nft", ["list", "tables", "ip"])).stdout.match(/podnet-[0-9a-f]{6}/g) ?? [];
  if (existsSync(FORWARD_BEFORE) && others.length === 0) {
    writeFileSync(FORWARD, readFileSync(FORWARD_BEFORE, "utf8"));
    rmSync(FORWARD_BEFORE);
  }
  // A lab that is in another engine has its bridge by that one.
  const { dockerHost = ownHost(identity, paths) } = cloneLab(paths);
  const bridges = dockerHost === ownHost(identity, paths) ? [labOf(identity, paths).bridge] : [];
  for (const bridge of new Set([identity.bridge, ...bridges])) {
    if ((await run("ip", ["link", "show", bridge])).code === 0) {
      await run("ip", ["link", "delete", bridge]);
    }
  }
  const mounts = mountsIn(readFileSync("/proc/mounts", "utf8")).filter(
    (path) => path.startsWith(`${paths.engineData}/`) || path.startsWith(`${runDir(identity, paths)}/`),
  );
  for (const mount of mounts.reverse()) {
    await run("umount", ["-l", mount]);
  }
  rmSync(runDir(identity, paths), { recursive: true, force: true });
  rmSync(paths.engineData, { recursive: true, force: true });
  rmSync(paths.engine, { force: true });
  await removeEmptyCgroups();
}

/** Removes the `docker` cgroups that an engine leaves behind, where nothing is in them any more. */
async function removeEmptyCgroups(): Promise<void> {
  const root = "/sys/fs/cgroup";
  for (const hierarchy of ["", ...(await readdir(root).catch(() => []))]) {
    // A group that has processes or groups of somebody else in it does not go away, which is what is wanted.
    await rmdir(join(root, hierarchy, "docker")).catch(() => undefined);
  }
}
