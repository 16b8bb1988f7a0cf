import { existsSync } from "node:fs";
import type { LabIdentity } from "../../components/lab/identity";
import { cloneLab, isTheirs } from "./cloneLab";
import { answers, hasOwnEngine, ownHost, runningEngine } from "./ownEngine";
import type { ClonePaths } from "./paths";

/** Whether an engine is reached over a network, so that its bridges are no links of this host. */
export function isElsewhere(host: string): boolean {
  const [, scheme = "", name = ""] = /^(\w+):\/\/(?:[^/@]*@)?(\[[^\]]*\]|[^:/]*)/.exec(host) ?? [];
  return scheme === "ssh" || (scheme === "tcp" && !/^(localhost|127(\.\d+){3}|\[::1\]|)$/.test(name));
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
 * The engine that a clone uses: the one that somebody named in its config, else the one that podnet started for it, else the one that
 * its lab was made in, whatever DOCKER_HOST is by now, else the machine's. Undefined when there is none.
 */
export async function engineOf(identity: LabIdentity, paths: ClonePaths): Promise<FoundEngine | undefined> {
  const own = ownHost(identity, paths);
  const { dockerHost = "" } = cloneLab(paths);
  const ofOwn = runningEngine(identity, paths) !== undefined || hasOwnEngine(paths);
  if (dockerHost !== "" && dockerHost !== own && (!ofOwn || isTheirs(paths, "dockerHost"))) {
    return { host: dockerHost, answers: !isElsewhere(dockerHost) && (await answers(dockerHost)), own: false };
  }
  if (ofOwn || dockerHost === own) {
    const runs = runningEngine(identity, paths) !== undefined;
    return { host: own, answers: runs && (await answers(own)), own: true };
  }
  // In a shell with another clone's environment it names that clone's engine, which goes with its lab.
  const named = process.env["DOCKER_HOST"] ?? "";
  const machines = /^unix:\/\/\/run\/podnet-[0-9a-f]{6}\//.test(named) ? "" : named;
  if (isElsewhere(machines)) {
    return { host: machines, answers: false, own: false };
  }
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
 * engine that is not podnet's to start and does not answer: what another engine says of that lab would not be so. Throws too for an
 * engine on another machine, which can have no lab.
 */
export async function findEngine(identity: LabIdentity, paths: ClonePaths): Promise<string | undefined> {
  const found = await engineOf(identity, paths);
  if (found && isElsewhere(found.host)) {
    const named = cloneLab(paths).dockerHost === undefined ? "DOCKER_HOST" : `podnet:dockerHost in ${paths.config}`;
    throw new Error(
      `the container engine ${found.host}, which ${named} names, is on another machine, and a lab's nodes are reached over a bridge of ` +
        `this one. Take ${named} out, or set it to an engine of this machine, such as unix:///var/run/docker.sock`,
    );
  }
  if (found && !found.answers && !found.own) {
    throw new Error(
      isTheirs(paths, "dockerHost")
        ? `the container engine ${found.host}, which podnet:dockerHost in ${paths.config} names, does not answer; start it, or ` +
            "name another one there, then try again"
        : `the container engine ${found.host}, in which this clone's lab is, does not answer; start it, then try again. ` +
            `(If it is gone for good with all that was in it: rm -r ${paths.dotPodnet}, and take podnet:dockerHost out of ${paths.config})`,
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
