import { setTimeout as sleep } from "node:timers/promises";

/** What a look at something that is waited for saw: it is there, or why it is not there yet. */
export type Look<T> = { readonly value: T } | { readonly reason: string };

/** What is waited for, and for how long. */
export interface Waiting {
  /** Beginning of the message when it does not come, such as `node w1 does not answer`. */
  readonly what: string;
  /** Seconds, by the clock, after which it is given up. */
  readonly seconds: number;
  /** Milliseconds between two looks; 100 by default. */
  readonly everyMs?: number;
  /** Seconds that a look of which nothing is heard may go on after the deadline; 10 by default. */
  readonly lookSeconds?: number;
  /** Hears the reason for waiting whenever it is another one, and every 10 s. */
  readonly say?: (line: string) => void;
  /** Milliseconds for which nothing is said: most waits are short; 2000 by default. */
  readonly quietMs?: number;
}

/** Milliseconds after which a reader hears the same reason again. */
const AGAIN_MS = 10_000;

/**
 * Looks until what is waited for is there, and returns it. Ends by the clock, with the last reason, whatever the looks take; ends
 * at once with a look's error, which says that it can no longer come. A look hears the seconds that are left.
 */
export async function waitUntil<T>(waiting: Waiting, look: (left: number) => Promise<Look<T>>): Promise<T> {
  const { what, seconds, everyMs = 100, lookSeconds = 10, say, quietMs = 2000 } = waiting;
  const began = Date.now();
  const deadline = began + seconds * 1000;
  let reason = "no answer";
  let said = "";
  let spoke = 0;
  for (;;) {
    const seen = await bounded(
      look((deadline - Date.now()) / 1000),
      Math.max(deadline, Date.now()) + lookSeconds * 1000,
    );
    if (seen !== undefined && "value" in seen) {
      return seen.value;
    }
    reason = seen?.reason ?? reason;
    const now = Date.now();
    if (seen === undefined || now >= deadline) {
      throw new OutOfTime(`${what} after ${passed(now - began)}: ${reason}`);
    }
    if (now - began >= quietMs && (reason !== said || now - spoke >= AGAIN_MS)) {
      [said, spoke] = [reason, now];
      say?.(`${what}: ${reason} (${String(Math.round((now - began) / 1000))} s of ${String(seconds)} s)`);
    }
    await sleep(Math.min(everyMs, Math.max(0, deadline - now)));
  }
}

/**
 * Whether a condition comes true within these seconds. A last look at it, which may be a round of questions with a bound of its
 * own, is heard to its end.
 */
export async function waitFor(condition: () => Promise<boolean>, seconds: number): Promise<boolean> {
  try {
    return await waitUntil({ what: "it is not so", seconds, lookSeconds: 90 }, async (): Promise<Look<boolean>> =>
      (await condition()) ? { value: true } : { reason: "not yet" },
    );
  } catch (error) {
    if (error instanceof OutOfTime) {
      return false;
    }
    throw error;
  }
}

/** What was waited for did not come in its time. */
export class OutOfTime extends Error {}

/** A look's answer; undefined when there is none at a time, in milliseconds. */
async function bounded<T>(look: Promise<T>, end: number): Promise<T | undefined> {
  const stop = new AbortController();
  const late = sleep(end - Date.now(), undefined, { signal: stop.signal }).catch(() => undefined);
  try {
    return await Promise.race([look, late]);
  } finally {
    stop.abort();
  }
}

/** A duration for a reader: tenths below ten seconds. */
function passed(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  return `${seconds < 10 ? seconds.toFixed(1) : String(Math.round(seconds))} s`;
}
