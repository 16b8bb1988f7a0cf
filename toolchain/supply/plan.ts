import type { ReleaseName } from "../../components/node/releases";
import type { Job } from "../host/schedule";
import { IMAGE_SOURCES, PLUGINS, type Source, SOURCE_OF } from "./pins";

/** The files that nodes install. */
const RELEASE_NAMES = Object.keys(SOURCE_OF) as ReleaseName[];

/** How a thing comes: it is there, its official release is downloaded, or it is made here. */
export type Way = "have" | "official" | "own";

/** What a look around found: what has to be had, and how. */
export interface Found {
  /** The Pulumi CLI with its language host. */
  readonly cli: Way;
  /** Pulumi's plugins by name. */
  readonly plugins: Readonly<Record<string, Way>>;
  /** The files of the mirror that nodes install; undefined when the mirror is there. */
  readonly releases: Readonly<Record<ReleaseName, Way>> | undefined;
  /** Whether the nodes' images are made here; else their registry is asked, or the mirror has them. */
  readonly images: boolean;
  /** Sources whose builds are in the cache. */
  readonly built: ReadonlySet<string>;
}

/** What a job does to what; the part after the colon of its name. */
export type JobKind = "fetch" | "build" | "cli" | "plugin" | "release" | "pause" | "images" | "mirror";

/** Name of the job that does this. */
export function jobName(kind: JobKind, of = ""): string {
  return of === "" ? kind : `${kind}:${of}`;
}

/** What the job of this name does to what. */
export function parseJob(name: string): { readonly kind: JobKind; readonly of: string } {
  const [kind = "", of = ""] = name.split(":");
  return { kind: kind as JobKind, of };
}

/** The jobs that get a source's modules and build it; the modules of one come while another is compiled. */
export function sourceJobs(source: Source): Job[] {
  const { name, seconds } = source;
  return [
    { name: jobName("fetch", name), text: `fetching the source of ${name}`, seconds: 8, lane: "network", needs: [] },
    {
      name: jobName("build", name),
      text: `building ${name} from source`,
      seconds,
      lane: "compile",
      needs: [jobName("fetch", name)],
    },
  ];
}

/** Sources that the CLI and its language host are built from. */
export const CLI_SOURCES = ["pulumi", "pulumi-language-nodejs"];
/** Source of the Kubernetes plugin. */
export const PLUGIN_SOURCE = "pulumi-resource-kubernetes";

/** The sources that have to be built for what was found, in the order of their list. */
export function neededSources(found: Found, sources: readonly Source[]): Source[] {
  const { releases } = found;
  const names = new Set<string>([
    ...RELEASE_NAMES.filter((name) => releases?.[name] === "own").map((name) => SOURCE_OF[name]),
    ...(releases && found.images ? IMAGE_SOURCES : []),
    ...(found.cli === "own" ? CLI_SOURCES : []),
    ...(found.plugins["kubernetes"] === "own" ? [PLUGIN_SOURCE] : []),
  ]);
  return sources.filter(({ name }) => names.has(name) && !found.built.has(name));
}

/**
 * The jobs that make a toolchain complete, given what was found, in the order in which lanes take them. Compilers come in the
 * order of `sources`; downloads, packing and summing go on beside them.
 */
export function planToolchain(found: Found, sources: readonly Source[]): Job[] {
  const build = (name: string): string => jobName("build", name);
  const cli: Job[] =
    found.cli === "official"
      ? [{ name: "cli", text: "downloading Pulumi", seconds: 20, lane: "network", needs: [] }]
      : found.cli === "own"
        ? [{ name: "cli", text: "installing Pulumi", seconds: 0, lane: "work", needs: CLI_SOURCES.map(build) }]
        : [];
  const plugins = PLUGINS.filter(({ name }) => found.plugins[name] === "official").map(({ name }): Job => ({
    name: jobName("plugin", name),
    text: `installing the official ${name} plugin`,
    seconds: 10,
    lane: "network",
    needs: ["cli"],
  }));
  const { releases } = found;
  const files = releases === undefined ? [] : RELEASE_NAMES.filter((name) => releases[name] !== "have");
  const mirror = files.map((name): Job => {
    const official = releases?.[name] === "official";
    return {
      name: jobName("release", name),
      text: `${official ? "downloading" : "packing"} ${name}`,
      seconds: official ? 10 : 2,
      lane: official ? "network" : "work",
      needs: official ? [] : [build(SOURCE_OF[name])],
    };
  });
  if (releases && found.images) {
    mirror.push(
      { name: "pause", text: "compiling pause", seconds: 1, lane: "work", needs: [jobName("fetch", "kubernetes")] },
      {
        name: "images",
        text: "making the images of the nodes",
        seconds: 4,
        lane: "work",
        needs: [...IMAGE_SOURCES.map(build), "pause"],
      },
    );
  }
  if (releases) {
    const needs = mirror.map(({ name }) => name);
    mirror.push({ name: "mirror", text: "summing the mirror", seconds: 2, lane: "work", needs });
  }
  return [...neededSources(found, sources).flatMap(sourceJobs), ...cli, ...plugins, ...mirror];
}
