import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isRunning, type ProcessRecord, recordOf } from "./process";

/** Holder of a lock file, or undefined when there is none or it has ended. */
export function lockHolder(path: string): ProcessRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(path, "utf8")) as ProcessRecord;
    return isRunning(record) ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Takes a lock file if no running process holds it, and says whether it did. */
function take(path: string): boolean {
  mkdirSync(dirname(path), { recursive: true });
  const record = JSON.stringify(recordOf(process.pid));
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(path, record, { flag: "wx" });
      return true;
    } catch {
      if (lockHolder(path)) {
        return false;
      }
      rmSync(path, { force: true });
    }
  }
  return false;
}

/**
 * Does work while holding a lock file. Another holder is waited for, which `onWait` hears once with its process, and may end
 * by throwing. A lock whose holder has ended counts as free.
 */
export async function withLock<T>(path: string, onWait: (holder: number) => void, work: () => Promise<T>): Promise<T> {
  let told = false;
  while (!take(path)) {
    const holder = lockHolder(path);
    if (holder && !told) {
      told = true;
      onWait(holder.pid);
    }
    await sleep(500);
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}
