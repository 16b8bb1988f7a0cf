import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isRunning, type ProcessRecord, recordOf } from "./process";

/** Holder that a lock's file names, or undefined when it names none or one that has ended. */
export function lockHolder(path: string): ProcessRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(path, "utf8")) as ProcessRecord;
    return isRunning(record) ? record : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Takes the lock of a path unless a process holds it, which is then undefined. A name among the kernel's abstract sockets is
 * the lock: one process at most has it, and loses it when it ends. The file only tells others who that is.
 */
async function take(path: string): Promise<Server | undefined> {
  mkdirSync(dirname(path), { recursive: true });
  const file = join(realpathSync(dirname(path)), basename(path));
  const server = createServer((socket) => socket.destroy()).unref();
  const taken = await new Promise<boolean>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(false) : reject(new Error(`cannot lock ${path}: ${error.message}`)),
    );
    server.listen(`\0podnet-${createHash("sha256").update(file).digest("hex")}`, () => resolve(true));
  });
  if (!taken) {
    return undefined;
  }
  try {
    writeFileSync(`${path}.new`, JSON.stringify(recordOf(process.pid)));
    renameSync(`${path}.new`, path);
  } catch (error) {
    server.close();
    throw error;
  }
  return server;
}

/**
 * Does work while holding the lock of a path. Another holder is waited for, which `onWait` hears once with its process, and may
 * end by throwing. A lock whose holder has ended is free.
 */
export async function withLock<T>(path: string, onWait: (holder: number) => void, work: () => Promise<T>): Promise<T> {
  let told = false;
  let lock = await take(path);
  while (!lock) {
    const holder = lockHolder(path);
    if (holder && !told) {
      told = true;
      onWait(holder.pid);
    }
    await sleep(holder ? 500 : 50);
    lock = await take(path);
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
    lock.close();
  }
}
