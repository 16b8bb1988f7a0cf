import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** Whether something answers at an address within `timeout` milliseconds, whatever it answers. */
export async function reachable(url: string, timeout = 3000): Promise<boolean> {
  try {
    await fetch(url, { method: "HEAD", redirect: "manual", signal: AbortSignal.timeout(timeout) });
    return true;
  } catch {
    return false;
  }
}

/**
 * Downloads a file and checks its SHA-256. The file appears at `target` complete and right, or not at all: a wrong checksum
 * is refused. A server that sends nothing for `stall` milliseconds is given up on.
 */
export async function download(url: string, sha256: string, target: string, stall = 20_000): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const partial = `${target}.new-${String(process.pid)}`;
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(), stall);
  try {
    const response = await fetch(url, { signal: abort.signal });
    if (!response.ok || !response.body) {
      throw new Error(`${url}: ${String(response.status)} ${response.statusText}`);
    }
    const hash = createHash("sha256");
    const body = Readable.fromWeb(response.body);
    body.on("data", (chunk: Buffer) => {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(), stall);
      hash.update(chunk);
    });
    await pipeline(body, createWriteStream(partial));
    const seen = hash.digest("hex");
    if (seen !== sha256) {
      throw new Error(`${url}: SHA-256 is ${seen}, expected ${sha256}; refused`);
    }
    await rename(partial, target);
  } catch (error) {
    if (abort.signal.aborted) {
      throw new Error(`${url}: nothing came for ${String(stall / 1000)} s`, { cause: error });
    }
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
    throw new Error(`${error instanceof Error ? error.message : String(error)}${cause}`, { cause: error });
  } finally {
    clearTimeout(timer);
    await rm(partial, { force: true });
  }
}
