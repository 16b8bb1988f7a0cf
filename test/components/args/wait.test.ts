import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { waitFor, waitUntil } from "../../../components/args/wait";

test("returns what was waited for as soon as it is there", async () => {
  let looks = 0;
  const value = await waitUntil({ what: "w1", seconds: 5, everyMs: 5 }, () => {
    looks++;
    return Promise.resolve(looks < 3 ? { reason: "not yet" } : { value: "there" });
  });
  expect([value, looks]).toEqual(["there", 3]);
});

test("ends after its seconds however long a look takes, with the last reason", async () => {
  const began = Date.now();
  const slow = waitUntil({ what: "w1 does not answer", seconds: 0.4, everyMs: 10 }, async () => {
    await sleep(300);
    return { reason: "connection refused" };
  });
  await expect(slow).rejects.toThrow(/^w1 does not answer after 0\.[6-9] s: connection refused$/);
  expect(Date.now() - began).toBeLessThan(1000);
});

test("ends although a look never does", async () => {
  const frozen = waitUntil({ what: "w1 does not answer", seconds: 0.2, lookSeconds: 0.1 }, () => new Promise(() => {}));
  await expect(frozen).rejects.toThrow(/^w1 does not answer after 0\.[3-9] s: no answer$/);
});

test("ends at once when a look says that it is in vain", async () => {
  const began = Date.now();
  const dead = waitUntil({ what: "w1", seconds: 60 }, () => Promise.reject(new Error("its container ended")));
  await expect(dead).rejects.toThrow("its container ended");
  expect(Date.now() - began).toBeLessThan(1000);
});

test("says each new reason, with the seconds that passed and the seconds there are", async () => {
  const said: string[] = [];
  const reasons = ["connection refused", "connection refused", "System is booting up"];
  await waitUntil({ what: "w1", seconds: 30, everyMs: 1, quietMs: 0, say: (line) => said.push(line) }, () => {
    const reason = reasons.shift();
    return Promise.resolve(reason === undefined ? { value: true } : { reason });
  });
  expect(said).toEqual(["w1: connection refused (0 s of 30 s)", "w1: System is booting up (0 s of 30 s)"]);
});

test("tells whether a condition came true in time", async () => {
  let looks = 0;
  expect(await waitFor(() => Promise.resolve(++looks === 2), 5)).toBe(true);
  expect(await waitFor(() => Promise.resolve(false), 0.05)).toBe(false);
  await expect(waitFor(() => Promise.reject(new Error("broken")), 5)).rejects.toThrow("broken");
});
