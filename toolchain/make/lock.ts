import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/** Who holds a stack's lock. */
export interface LockHolder {
  readonly host: string;
  readonly pid: number;
}

/** Holders of a stack's lock, out of what the CLI says when it finds the stack locked. */
export function lockHolders(message: string): LockHolder[] {
  return [...message.matchAll(/: created by \S*@(\S+) \(pid (\d+)\) at /g)].map(([, host = "", pid = "0"]) => ({
    host,
    pid: Number(pid),
  }));
}

/** Whether a process of this machine runs Pulumi; its number may be another program's by now. */
function runsPulumi(pid: number): boolean {
  try {
    return readFileSync(`/proc/${String(pid)}/comm`, "utf8").startsWith("pulumi");
  } catch {
    return false;
  }
}

/**
 * Throws unless every holder of a stack's lock is a process of this machine that has ended without freeing it. `alive` tells
 * whether a process of this machine is a running Pulumi.
 */
export function assertStale(message: string, alive: (pid: number) => boolean = runsPulumi): void {
  const holders = lockHolders(message);
  if (holders.length === 0) {
    throw new Error(`this stack is locked, and Pulumi does not say by whom:\n  ${message.trim()}`);
  }
  for (const { host, pid } of holders) {
    if (host !== hostname()) {
      throw new Error(
        `this stack is locked by process ${String(pid)} of ${host}, which cannot be looked at from here; ` +
          "once it has ended, `pulumi cancel` frees the stack",
      );
    }
    if (alive(pid)) {
      throw new Error(`pulumi (process ${String(pid)}) is at work on this stack; wait for it to end`);
    }
  }
}
