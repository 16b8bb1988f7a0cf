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

/** Whether the CLI had ended before this process could look: the plugin has been handed to the first process, which is none. */
function startedLate(): boolean {
  try {
    return parentOf(process.ppid) === 1 && !readFileSync("/proc/1/comm", "utf8").startsWith("pulumi");
  } catch {
    return false;
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
  const look = (late: boolean): void => {
    if (late || family() !== before) {
      console.error("the update that this command works for has ended");
      process.exit(1);
    }
  };
  look(startedLate());
  setInterval(() => look(false), LOOK_MS).unref();
}
