import { messageOf } from "../../components/args/validate";
import type { Progress } from "./progress";

/** What a job keeps busy: each lane does a number of jobs at a time. */
export type Lane = "compile" | "network" | "work";

/** How many jobs each lane does at a time. One compiler keeps all cores busy; two only take turns. */
export const LANES: Readonly<Record<Lane, number>> = { compile: 1, network: 1, work: 2 };

/** A piece of work, as data. */
export interface Job {
  /** Known by it to the jobs that need it. */
  readonly name: string;
  /** What it does, for a reader. */
  readonly text: string;
  /** Seconds it takes on two cores, for the progress line. */
  readonly seconds: number;
  readonly lane: Lane;
  /** Jobs that have to be done before; one that is not in the plan counts as done. */
  readonly needs: readonly string[];
}

/** How a job ended. */
export interface JobEnd {
  readonly job: Job;
  readonly seconds: number;
  /** Why it failed, or why a job that it needs did; undefined when it is done. */
  readonly error?: string;
}

/**
 * Does jobs as soon as what they need is done and their lane is free, the first in the list first, and shows them with
 * numbers that count up as they start. A job that fails ends those that need it and no others. Returns how each ended, in
 * the order of the list; throws when jobs wait for each other.
 */
export async function runJobs(
  jobs: readonly Job[],
  work: (job: Job) => Promise<void>,
  progress: Pick<Progress, "step">,
  lanes: Readonly<Record<Lane, number>> = LANES,
): Promise<JobEnd[]> {
  const ends = new Map<string, JobEnd>();
  const running = new Map<string, { readonly lane: Lane; readonly end: Promise<void> }>();
  const planned = new Set(jobs.map(({ name }) => name));
  let started = 0;
  const start = (job: Job): void => {
    const number = `[${String(++started)}/${String(jobs.length)}]`;
    const from = Date.now();
    const finish = (error?: unknown): void => {
      const seconds = (Date.now() - from) / 1000;
      ends.set(job.name, { job, seconds, ...(error !== undefined && { error: messageOf(error) }) });
      running.delete(job.name);
    };
    const end = progress.step(`${number} ${job.text}`, job.seconds, () => work(job)).then(() => finish(), finish);
    running.set(job.name, { lane: job.lane, end });
  };
  while (ends.size < jobs.length) {
    for (const job of jobs) {
      if (ends.has(job.name) || running.has(job.name)) {
        continue;
      }
      const needs = job.needs.filter((name) => planned.has(name));
      const failed = needs.map((name) => ends.get(name)?.error).find((error) => error !== undefined);
      if (failed !== undefined) {
        started++;
        ends.set(job.name, { job, seconds: 0, error: failed });
        continue;
      }
      const busy = [...running.values()].filter(({ lane }) => lane === job.lane).length;
      if (busy < lanes[job.lane] && needs.every((name) => ends.has(name))) {
        start(job);
      }
    }
    if (running.size > 0) {
      await Promise.race([...running.values()].map(({ end }) => end));
      continue;
    }
    const left = jobs.filter(({ name }) => !ends.has(name));
    const ended = (name: string): boolean => ends.get(name)?.error !== undefined;
    // What a failed job is needed by is marked at the next look.
    if (left.length > 0 && !left.some(({ needs }) => needs.some(ended))) {
      throw new Error(`jobs wait for each other: ${left.map(({ name }) => name).join(", ")}`);
    }
  }
  return jobs.flatMap(({ name }) => ends.get(name) ?? []);
}

/** A table of where the time went: seconds and what, the longest first, short ones left out. */
export function timeTable(ends: readonly Pick<JobEnd, "job" | "seconds">[], least = 1): string[] {
  return [...ends]
    .filter(({ seconds }) => seconds >= least)
    .sort((a, b) => b.seconds - a.seconds)
    .map(({ job, seconds }) => `  ${seconds.toFixed(1).padStart(6)} s  ${job.text}`);
}
