import { readFileSync } from "node:fs";
import { waitFor } from "../../components/args/wait";

/** A process that can be recognised later: its number may be another's by then, its start cannot. */
export interface ProcessRecord {
  readonly pid: number;
  /** Ticks from boot to its start, field 22 of /proc/<pid>/stat. */
  readonly startTime: string;
  /** The boot in which it ran. */
  readonly bootId: string;
}

/** Start time out of a line of /proc/<pid>/stat, whose second field may itself hold spaces and parentheses. */
function parseStartTime(stat: string): string {
  const field = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .at(19);
  if (field === undefined || !/^[0-9]+$/.test(field)) {
    throw new Error(`not a line of /proc/<pid>/stat: ${stat.slice(0, 60)}`);
  }
  return field;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Record of a process that runs now; undefined when there is none with that number, or only its remains. */
export function recordOf(pid: number): ProcessRecord | undefined {
  const stat = read(`/proc/${pid}/stat`);
  const bootId = read("/proc/sys/kernel/random/boot_id")?.trim();
  if (stat === undefined || bootId === undefined || stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z")) {
    return undefined;
  }
  return { pid, startTime: parseStartTime(stat), bootId };
}

/** Whether the recorded process itself still runs: same number, same start, same boot. */
export function isRunning(record: ProcessRecord): boolean {
  const now = recordOf(record.pid);
  return now !== undefined && now.startTime === record.startTime && now.bootId === record.bootId;
}

/** Command line of a process as its list of arguments; empty when it is gone. */
export function commandLine(pid: number): string[] {
  return (read(`/proc/${pid}/cmdline`) ?? "").split("\0").filter((argument) => argument !== "");
}

/**
 * Asks a recorded process to end, and ends it by force after `graceMs`. A process that took over the number of a dead
 * one is never signalled. Resolves when it is gone.
 */
export async function stopProcess(record: ProcessRecord, graceMs = 20_000): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    if (!isRunning(record)) {
      return;
    }
    try {
      process.kill(record.pid, signal);
    } catch {
      // It ended between the look and the signal.
    }
    await waitFor(() => Promise.resolve(!isRunning(record)), signal === "SIGTERM" ? graceMs / 1000 : 5);
  }
  if (isRunning(record)) {
    throw new Error(`process ${record.pid} (${commandLine(record.pid).slice(0, 2).join(" ")}) does not end`);
  }
}
