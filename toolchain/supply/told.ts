import type { ReleaseName } from "../../components/node/releases";
import type { JobEnd } from "../host/schedule";
import { type Found, parseJob, PLUGIN_SOURCE } from "./plan";

/** How a tool was had, and why the ways before it failed. */
export interface Origin {
  readonly tool: string;
  readonly way: "official release" | "built from source";
  readonly seconds: number;
}

/** Whether this job is the download of something official. */
export function isOfficial(found: Found, name: string): boolean {
  const { kind, of } = parseJob(name);
  return (
    (kind === "cli" && found.cli === "official") ||
    (kind === "plugin" && found.plugins[of] === "official") ||
    (kind === "release" && found.releases?.[of as ReleaseName] === "official")
  );
}

/** How the tool of a job that ended was had; nothing for a job that gives none. */
export function originOf({ job, seconds, error }: JobEnd, found: Found): Origin[] {
  const { kind, of } = parseJob(job.name);
  if (error !== undefined || (kind !== "build" && !isOfficial(found, job.name))) {
    return [];
  }
  return [{ tool: of || "pulumi", way: kind === "build" ? "built from source" : "official release", seconds }];
}

/** What could not be had, and what was tried. A job that failed because of another is told where that matters to the reader. */
export function failuresOf(ends: readonly JobEnd[], refusals: ReadonlyMap<string, string>): string[] {
  return ends.flatMap(({ job, error }) => {
    if (error === undefined) {
      return [];
    }
    const { kind, of } = parseJob(job.name);
    const tried = refusals.get(job.name) ?? "the official release is out of reach";
    switch (kind) {
      case "cli":
        return [`pulumi: not on PATH; ${tried}; building it failed: ${error}`];
      case "release":
        return [`${of}: not in the cache; ${tried}; building it failed: ${error}`];
      case "images":
        return [`images: the image registry is out of reach; making them failed: ${error}`];
      case "build": {
        const plugin = of === PLUGIN_SOURCE;
        return plugin ? [`${of}: the official plugin is out of reach; building it failed: ${error}`] : [];
      }
      case "fetch":
      case "pause":
      case "plugin":
        return [];
      default: {
        const needs = new Set(job.needs);
        const because = ends.some((end) => needs.has(end.job.name) && end.error !== undefined);
        return because ? [] : [`${job.text}: ${error}`];
      }
    }
  });
}
