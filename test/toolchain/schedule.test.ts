import { describe, expect, test } from "vitest";
import { type Job, type Lane, runJobs, timeTable } from "../../toolchain/host/schedule";

const job = (name: string, lane: Lane, needs: string[] = []): Job => ({ name, text: name, seconds: 1, lane, needs });

/** Work that ends when the test says so, and a record of what happened. */
function bench() {
  const shown: string[] = [];
  const under = new Map<string, { done: () => void; fail: (error: Error) => void }>();
  const progress = {
    step: <T>(text: string, _: number, work: () => Promise<T>): Promise<T> => {
      shown.push(text);
      return work();
    },
  };
  const work = ({ name }: Job): Promise<void> =>
    new Promise((done, fail) => {
      under.set(name, {
        done: () => {
          under.delete(name);
          done();
        },
        fail: (error) => {
          under.delete(name);
          fail(error);
        },
      });
    });
  const running = async (): Promise<string[]> => {
    await new Promise((turn) => setImmediate(turn));
    return [...under.keys()];
  };
  const end = (name: string): void => under.get(name)?.done();
  const fail = (name: string, message: string): void => under.get(name)?.fail(new Error(message));
  return { shown, progress, work, running, end, fail };
}

const lanes = { compile: 1, network: 2, work: 2 };

describe("jobs", () => {
  test("run as soon as what they need is done and their lane is free, numbered as they start", async () => {
    const { shown, progress, work, running, end } = bench();
    const jobs = [
      job("fetch:a", "network"),
      job("build:a", "compile", ["fetch:a"]),
      job("fetch:b", "network"),
      job("build:b", "compile", ["fetch:b"]),
      job("pack", "work", ["build:a", "build:b", "not in this plan"]),
    ];
    const all = runJobs(jobs, work, progress, lanes);
    expect(await running()).toEqual(["fetch:a", "fetch:b"]);
    end("fetch:b");
    expect(await running()).toEqual(["fetch:a", "build:b"]);
    end("fetch:a");
    expect(await running()).toEqual(["build:b"]);
    end("build:b");
    expect(await running()).toEqual(["build:a"]);
    end("build:a");
    expect(await running()).toEqual(["pack"]);
    end("pack");
    expect((await all).map(({ job: { name }, error }) => [name, error])).toEqual(
      jobs.map(({ name }) => [name, undefined]),
    );
    expect(shown).toEqual(["[1/5] fetch:a", "[2/5] fetch:b", "[3/5] build:b", "[4/5] build:a", "[5/5] pack"]);
  });

  test("that fail end those that need them, which give the same reason, and no others", async () => {
    const { shown, progress, work, running, end, fail } = bench();
    const jobs = [
      job("fetch", "network"),
      job("build", "compile", ["fetch"]),
      job("pack", "work", ["build"]),
      job("image", "work"),
    ];
    const all = runJobs(jobs, work, progress, lanes);
    await running();
    fail("fetch", "no such module");
    expect(await running()).toEqual(["image"]);
    end("image");
    expect((await all).map(({ error }) => error)).toEqual([
      "no such module",
      "no such module",
      "no such module",
      undefined,
    ]);
    expect(shown).toEqual(["[1/4] fetch", "[2/4] image"]);
  });

  test("whose last one fails are at an end, whatever the order of the list", async () => {
    const { progress, work, running, fail } = bench();
    const all = runJobs([job("pack", "work", ["build"]), job("build", "compile")], work, progress, lanes);
    await running();
    fail("build", "broken");
    expect((await all).map(({ error }) => error)).toEqual(["broken", "broken"]);
  });

  test("that wait for each other are refused by name", async () => {
    const { progress, work } = bench();
    const jobs = [job("a", "work", ["b"]), job("b", "work", ["a"])];
    await expect(runJobs(jobs, work, progress, lanes)).rejects.toThrow("jobs wait for each other: a, b");
    expect(await runJobs([], work, progress, lanes)).toEqual([]);
  });

  test("are listed by the time they took, short ones left out", () => {
    const ends = [
      { job: job("short", "work"), seconds: 0.4 },
      { job: job("pack", "work"), seconds: 3.14 },
      { job: job("build", "compile"), seconds: 207.1 },
    ];
    expect(timeTable(ends)).toEqual(["   207.1 s  build", "     3.1 s  pack"]);
  });
});
