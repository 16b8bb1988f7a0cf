import { spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { type Look, waitUntil } from "../../components/args/wait";
import type { LabIdentity } from "../../components/lab/identity";
import { engineEnv } from "../../components/lab/docker";
import { must, run } from "./exec";
import { mountsIn } from "./mounts";
import type { ClonePaths } from "./paths";
import { isRunning, type ProcessRecord, recordOf, stopProcess } from "./process";
import { readWritten } from "./written";
import { ENGINE_NEEDS, installPackages, missingPackages } from "./system";

/** What podnet keeps about the engine it started for a clone. */
interface EngineRecord {
  readonly process: ProcessRecord;
}

/** Folder of an own engine's socket and run-time files. */
function runDir(identity: LabIdentity): string {
  return `/run/${identity.name}`;
}

/** DOCKER_HOST of a clone's own engine. */
export function ownHost(identity: LabIdentity): string {
  return `unix://${runDir(identity)}/docker.sock`;
}

/**
 * Options of a clone's own engine. It leaves the host's firewall and forwarding alone: the lab needs one bridge and nothing
 * else of it.
 */
export function engineOptions(identity: LabIdentity, paths: ClonePaths): string[] {
  const run = runDir(identity);
  return [
    ...["--host", `unix://${run}/docker.sock`, "--pidfile", `${run}/docker.pid`, "--exec-root", `${run}/exec`],
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

async function answers(host: string): Promise<boolean> {
  return (
    (await run("timeout", ["10", "docker", "version", "--format", "{{.Server.Version}}"], { env: engineEnv(host) }))
      .code === 0
  );
}

/** The engine that a clone's lab is in, or would be. */
export interface FoundEngine {
  /** Its DOCKER_HOST. */
  readonly host: string;
  readonly answers: boolean;
  /** Whether podnet started it for this clone. */
  readonly own: boolean;
}

/**
 * The engine that a clone uses: the one that podnet started for it, else the one that its lab was made in, whatever DOCKER_HOST
 * is by now, else the machine's. Undefined when there is none.
 */
export async function engineOf(identity: LabIdentity, paths: ClonePaths): Promise<FoundEngine | undefined> {
  const record = readRecord(paths);
  const own = ownHost(identity);
  if (record) {
    return { host: own, answers: isRunning(record.process) && (await answers(own)), own: true };
  }
  const recorded = readWritten(paths.writtenConfig).settings["dockerHost"];
  if (recorded !== undefined && recorded !== "" && recorded !== own) {
    return { host: recorded, answers: await answers(recorded), own: false };
  }
  // In a shell with another clone's environment it names that clone's engine, which goes with its lab.
  const named = process.env["DOCKER_HOST"] ?? "";
  const machines = /^unix:\/\/\/run\/podnet-[0-9a-f]{6}\//.test(named) ? "" : named;
  // The default socket, asked only when it is there: the client would wait for nothing.
  const candidates = [machines, existsSync("/var/run/docker.sock") ? "unix:///var/run/docker.sock" : ""];
  for (const host of candidates) {
    if (host !== "" && host !== own && (await answers(host))) {
      return { host, answers: true, own: false };
    }
  }
  return undefined;
}

/**
 * The engine that a clone uses, which answers; undefined where podnet has to start one. Throws when the clone's lab is in an
 * engine that is not podnet's to start and does not answer: what another engine says of that lab would not be so.
 */
export async function findEngine(identity: LabIdentity, paths: ClonePaths): Promise<string | undefined> {
  const found = await engineOf(identity, paths);
  if (found && !found.answers && !found.own) {
    throw new Error(
      `the container engine ${found.host}, in which this clone's lab is, does not answer; start it, then try again. ` +
        `(If it is gone for good with all that was in it: rm -r ${paths.dotPodnet})`,
    );
  }
  return found?.answers === true ? found.host : undefined;
}

/** Throws where podnet cannot start an engine, with what to do. */
export function needEngine(): void {
  if (process.getuid?.() !== 0) {
    throw new Error(
      "no container engine answers, and podnet can start one as root only; start Docker or set DOCKER_HOST",
    );
  }
}

/** Starts an engine of the clone's own, its package installed where that is missing, and returns its DOCKER_HOST. */
export async function startEngine(identity: LabIdentity, paths: ClonePaths): Promise<string> {
  await installPackages(await missingPackages(ENGINE_NEEDS));
  mkdirSync(runDir(identity), { recursive: true });
  mkdirSync(paths.engineData, { recursive: true });
  const log = openSync(paths.engineLog, "a");
  const child = spawn("dockerd", engineOptions(identity, paths), { detached: true, stdio: ["ignore", log, log] });
  child.unref();
  const failed = new Promise<never>((_, reject) => {
    child.once("error", (error) => reject(new Error(`dockerd cannot be started: ${error.message}`)));
    child.once("exit", (code) => reject(new Error(`dockerd ended with code ${String(code)}; see ${paths.engineLog}`)));
  });
  failed.catch(() => undefined);
  const record = child.pid === undefined ? undefined : recordOf(child.pid);
  if (record) {
    writeFileSync(paths.engine, JSON.stringify({ process: record } satisfies EngineRecord));
  }
  await waitUntil({ what: "dockerd does not answer", seconds: 60 }, async (): Promise<Look<true>> => {
    const up = await Promise.race([answers(ownHost(identity)), failed]);
    return up ? { value: true } : { reason: `see ${paths.engineLog}` };
  });
  return ownHost(identity);
}

const FORWARD = "/proc/sys/net/ipv4/ip_forward";
/** What the setting was before the first clone's lab; the last clone's lab puts it back. */
const FORWARD_BEFORE = "/run/podnet.ip_forward";

/** The rules that let a lab's nodes reach what the host reaches. */
export function outsideRules(identity: LabIdentity, subnet: string): string {
  return `table ip ${identity.name}
delete table ip ${identity.name}
table ip ${identity.name} {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr ${subnet} oifname != "${identity.bridge}" masquerade
	}
}
`;
}

/** Lets the nodes of an own engine reach what the host reaches: forwarding, and masquerade in a table of the lab's own. */
export async function openOutside(identity: LabIdentity, paths: ClonePaths, subnet: string): Promise<void> {
  const record = readRecord(paths);
  if (!record) {
    return;
  }
  if ((await run("nft", ["list", "table", "ip", identity.name])).code !== 0) {
    await must("nft", ["-f", "-"], { input: outsideRules(identity, subnet) });
  }
  const forward = readFileSync(FORWARD, "utf8").trim();
  if (forward === "0") {
    writeFileSync(FORWARD_BEFORE, forward);
    writeFileSync(FORWARD, "1");
  }
}

/** Stops a clone's own engine and takes away what it made: links, rules, cgroups, mounts and files. */
export async function stopEngine(identity: LabIdentity, paths: ClonePaths): Promise<void> {
  const record = readRecord(paths);
  await run("nft", ["delete", "table", "ip", identity.name]);
  if (!record) {
    return;
  }
  await stopProcess(record.process);
  const others = (await run("nft", ["list", "tables", "ip"])).stdout.match(/podnet-[0-9a-f]{6}/g) ?? [];
  if (existsSync(FORWARD_BEFORE) && others.length === 0) {
    writeFileSync(FORWARD, readFileSync(FORWARD_BEFORE, "utf8"));
    rmSync(FORWARD_BEFORE);
  }
  if ((await run("ip", ["link", "show", identity.bridge])).code === 0) {
    await run("ip", ["link", "delete", identity.bridge]);
  }
  const mounts = mountsIn(readFileSync("/proc/mounts", "utf8")).filter(
    (path) => path.startsWith(`${paths.engineData}/`) || path.startsWith(`${runDir(identity)}/`),
  );
  for (const mount of mounts.reverse()) {
    await run("umount", ["-l", mount]);
  }
  rmSync(runDir(identity), { recursive: true, force: true });
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
