import { setTimeout as sleep } from "node:timers/promises";

/** Asks until the answer is yes or `seconds` are over; says which. */
export async function waitFor(condition: () => Promise<boolean>, seconds: number): Promise<boolean> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    if (await condition()) {
      return true;
    }
    if (Date.now() > deadline) {
      return false;
    }
    await sleep(100);
  }
}
