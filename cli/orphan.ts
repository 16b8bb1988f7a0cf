import { readFileSync } from "node:fs";

/** Milliseconds between two looks at the processes that this one works for. */
const LOOK_MS = 500;

/** Number of a process's parent; undefined where the process is gone or cannot be looked at. */
function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}

/** The process's parent, which is Pulumi's plugin, and that one's, which is the CLI. */
function family(): string {
  return `${String(process.ppid)} ${String(parentOf(process.ppid))}`;
}

/**
 * Ends this process when the plugin that started it, or the CLI above that, has ended: what an update that was killed leaves
 * running would work against the next one.
 */
export function endWithUpdate(): void {
  const before = family();
  setInterval(() => {
    if (family() !== before) {
      console.error("the update that this command works for has ended");
      process.exit(1);
    }
  }, LOOK_MS).unref();
}
