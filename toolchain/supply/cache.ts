import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { lockHolder, withLock } from "../host/lock";
import { mountsOfProcess } from "../host/mounts";

/**
 * What podnet makes in a cache: its folders, and the names in them. PODNET_CACHE may be a folder in which somebody keeps other
 * things, some in folders of these names.
 */
const MADE: Readonly<Record<string, RegExp>> = {
  tools: /^[a-z][a-z0-9-]*-[0-9a-f]{16}(-pause)?(\.(new|src)-\w+)?$/,
  pulumi: /^([0-9]+\.[0-9]+\.[0-9]+(\.new)?|[0-9a-f]{16}(-[0-9a-f]{16})+)$/,
  "pulumi-home": /./,
  mirror: /^([0-9a-f]{16}(\.new)?|unpacked)$/,
  "node-image": /^[0-9a-f]{12}\.tar(\.new.*)?$/,
  "network-base": /^[0-9a-f]{12}\.tar(\.new.*)?$/,
};

/** Locks of a cache, each held by a podnet that makes something there. */
const LOCKS = ["toolchain.lock", "networks.lock", "node-image.lock"];

/** What of a cache stays. */
export interface Staying {
  /** Whether the mirrors and stores stay. */
  readonly mirrors: boolean;
  /** Paths of what podnet did not make. */
  readonly others: readonly string[];
}

/** Whether some process of this machine sees a folder as a mount of its own, as a lab node sees the mirrors. */
function isMounted(folder: string, proc: string): boolean {
  return readdirSync(proc).some((name) => {
    try {
      return mountsOfProcess(readFileSync(join(proc, name, "mountinfo"), "utf8")).includes(folder);
    } catch {
      return false;
    }
  });
}

function refuse(cache: string, pid: number): never {
  throw new Error(
    `another podnet (process ${String(pid)}) is at work in the caches in ${cache}, so nothing was removed there; ` +
      'wait for it to end, then "make clean" again',
  );
}

/** Throws while another podnet makes something in a cache. */
export function refuseBusy(cache: string): void {
  const busy = LOCKS.map((name) => lockHolder(join(cache, name))).find((holder) => holder !== undefined);
  if (busy) {
    refuse(cache, busy.pid);
  }
}

/** Does work while holding all locks of a cache. Throws where another podnet holds one. */
function locked<T>(cache: string, names: readonly string[], work: () => Promise<T>): Promise<T> {
  const [name, ...others] = names;
  return name === undefined
    ? work()
    : withLock(
        join(cache, name),
        (pid) => refuse(cache, pid),
        () => locked(cache, others, work),
      );
}

/** Removes a folder where it is empty. */
function removeEmpty(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length === 0) {
    rmdirSync(folder);
  }
}

/**
 * Removes from a cache what podnet made there, and the cache itself where nothing else is in it. The mirrors and stores that lab
 * nodes of another clone run from stay: without their layers those nodes' pods would stop working. Throws where another podnet is
 * at work there.
 */
export async function removeCache(cache: string, proc = "/proc"): Promise<Staying> {
  if (!existsSync(cache)) {
    return { mirrors: false, others: [] };
  }
  const used = await locked(cache, LOCKS, () => {
    const mirrors = isMounted(join(cache, "mirror"), proc);
    for (const [folder, made] of Object.entries(MADE).filter(([name]) => name !== "mirror" || !mirrors)) {
      const path = join(cache, folder);
      for (const name of existsSync(path) ? readdirSync(path) : []) {
        if (made.test(name)) {
          rmSync(join(path, name), { recursive: true, force: true });
        }
      }
      removeEmpty(path);
    }
    return Promise.resolve(mirrors);
  });
  removeEmpty(cache);
  const left = existsSync(cache) ? readdirSync(cache) : [];
  // A lock that is there again is a podnet's that has just begun.
  const others = left.filter((name) => !LOCKS.includes(name) && (name !== "mirror" || !used));
  return { mirrors: used, others: others.map((name) => join(cache, name)) };
}
