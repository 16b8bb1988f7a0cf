import { existsSync } from "node:fs";
import { join } from "node:path";
import { archiveOf } from "../../components/node/releases";
import { type AgentNetwork, networkImages } from "./agents";
import { withLock } from "../host/lock";
import { type Job, runJobs } from "../host/schedule";
import { build, buildDir, fetchSource } from "./build";
import { reachable } from "./download";
import { writeChecksums } from "./mirror";
import { baseArchive, makeBase, makeNetworkImages } from "./networks";
import { hostArch, ToolchainError, type ToolchainOptions, urlOf } from "./options";
import { NETWORK_SOURCES } from "./pins";
import { jobName, parseJob, sourceJobs } from "./plan";
import { binariesOf, readChecksums, sourceNamed } from "./folders";
import type { Toolchain } from "./toolchain";

/** Host that answers for an image's registry; Docker Hub's has another name than its images. */
function registryOf(image: string): string {
  const host = image.slice(0, image.indexOf("/"));
  return host === "docker.io" ? "registry-1.docker.io" : host;
}

function registriesOf(network: AgentNetwork): string[] {
  return [...new Set(networkImages(network).map(registryOf))];
}

/** The jobs that make a network's images, without what the cache has. */
function networkJobs({ cache, project }: ToolchainOptions, network: AgentNetwork): Job[] {
  const arch = hostArch();
  const sources = NETWORK_SOURCES[network].filter((source) => !existsSync(buildDir(cache, project, source, arch)));
  const base: Job = {
    name: `base:${network}`,
    text: `making the base of ${network}'s image from Debian packages`,
    seconds: 25,
    lane: "work",
    needs: [],
  };
  return [
    ...sources.flatMap(sourceJobs),
    ...(existsSync(baseArchive(network, cache, arch)) ? [] : [base]),
    {
      name: `images:${network}`,
      text: `making the images of ${network}`,
      seconds: 10,
      lane: "work",
      needs: [base.name, ...sources.map(({ name }) => jobName("build", name))],
    },
  ];
}

/**
 * Adds the images of these networks to a mirror, where it lacks them and their registry is out of reach, and returns the
 * mirror's checksums. The mirror keeps its folder, so that nodes that read it find them there. Throws a ToolchainError with
 * all that failed.
 */
export async function ensureNetworkImages(
  options: ToolchainOptions,
  mirror: Pick<Toolchain, "mirrorDir" | "checksums">,
  networks: readonly AgentNetwork[],
): Promise<Readonly<Record<string, string>>> {
  const lacks = (sums: Readonly<Record<string, string>>): AgentNetwork[] =>
    networks.filter((network) => networkImages(network).some((image) => sums[archiveOf(image)] === undefined));
  if (lacks(mirror.checksums).length === 0) {
    return mirror.checksums;
  }
  const onWait = (pid: number): void =>
    options.progress.say(`another podnet (process ${String(pid)}) is making images of networks; waiting for it`);
  // A lock of its own: who needs none of them does not wait for what takes many minutes.
  return withLock(join(options.cache, "networks.lock"), onWait, async () => {
    let sums: Readonly<Record<string, string>> = await readChecksums(mirror.mirrorDir);
    const wanted: AgentNetwork[] = [];
    for (const network of lacks(sums)) {
      const online = await Promise.all(registriesOf(network).map((host) => reachable(urlOf(options, `${host}/v2/`))));
      if (!online.every((answers) => answers)) {
        wanted.push(network);
      }
    }
    const arch = hostArch();
    const sources = wanted.flatMap((network) => NETWORK_SOURCES[network]);
    const made = new Map<AgentNetwork, string[]>();
    const jobs = wanted.flatMap((network) => networkJobs(options, network));
    const ends = await runJobs(
      jobs,
      async ({ name }) => {
        const { of } = parseJob(name);
        const network = wanted.find((candidate) => candidate === of);
        if (name.startsWith("fetch:")) {
          await fetchSource(options.cache, options.project, sourceNamed(of, sources), arch);
        } else if (name.startsWith("build:")) {
          await build(options.cache, options.project, sourceNamed(of, sources), arch);
        } else if (network && name.startsWith("base:")) {
          await makeBase(network, options.cache, arch);
        } else if (network) {
          const dirs = NETWORK_SOURCES[network].map((source) =>
            binariesOf(source, buildDir(options.cache, options.project, source, arch)),
          );
          const binaries = Object.assign({}, ...dirs) as Record<string, string>;
          made.set(network, await makeNetworkImages(network, binaries, options, mirror.mirrorDir, arch));
        }
      },
      options.progress,
    );
    if (made.size > 0) {
      sums = await writeChecksums(mirror.mirrorDir, [...made.values()].flat(), sums);
    }
    const failures = wanted.flatMap((network) => {
      const error = ends.find(({ job }) => job.name === `images:${network}`)?.error;
      const hosts = registriesOf(network).join(", ");
      return error === undefined
        ? []
        : [`images of ${network}: their registry (${hosts}) is out of reach; making them failed: ${error}`];
    });
    if (failures.length > 0) {
      throw new ToolchainError(failures);
    }
    return sums;
  });
}
