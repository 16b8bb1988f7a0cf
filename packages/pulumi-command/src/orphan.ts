import { readdirSync, readFileSync } from "node:fs";

/** Interval in ms at which the provider looks whether the program that started it is still there. */
const lookInterval = 1000;

/** Processes by the number of their parent, as /proc has them; none where there is no /proc. */
function childrenByParent(): Map<number, number[]> {
  const children = new Map<number, number[]>();
  let entries: string[] = [];
  try {
    entries = readdirSync("/proc");
  } catch {
    // A system without it: what runs here is ended by its own end of the pipes.
  }
  for (const entry of entries.filter((name) => /^[0-9]+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    } catch {
      // It ended between the two looks.
    }
  }
  return children;
}

/** Numbers of all processes that a process started, and that those started. */
export function descendantsOf(pid: number): number[] {
  const children = childrenByParent();
  const below = (of: number): number[] => (children.get(of) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

/**
 * Ends this process, with all that it runs here, within seconds of the program that started it: nobody is left to take a result,
 * and what goes on would work against the next update.
 */
export function endWithParent(): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid === parent) {
      return;
    }
    for (const pid of descendantsOf(process.pid)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
    process.exit(0);
  }, lookInterval);
}
