import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { archiveOf, imagesOf, releaseFiles, type ReleaseName } from "../../components/node/releases";
import { build, buildPause, fetchSource } from "./build";
import { download } from "./download";
import { binariesOf, cliDirs, dirOf, mirrorDir, sourceNamed } from "./folders";
import { type Binaries, makeImages, makeRelease, writeChecksums } from "./mirror";
import { hostArch, type ToolchainOptions, urlOf } from "./options";
import { PLUGINS, SOURCES } from "./pins";
import { CLI_SOURCES, type Found, parseJob } from "./plan";
import { installOfficial, joinCli, officialPulumi } from "./pulumi";

/** Does one of the toolchain's jobs. */
export async function doJob(options: ToolchainOptions, found: Found, name: string): Promise<void> {
  const { cache, project } = options;
  const arch = hostArch();
  const { kind, of } = parseJob(name);
  const work = `${mirrorDir(options)}.new`;
  switch (kind) {
    case "fetch":
      return fetchSource(cache, project, sourceNamed(of), arch);
    case "build":
      await build(cache, project, sourceNamed(of), arch);
      return;
    case "cli": {
      if (found.cli === "official") {
        return officialPulumi((path) => urlOf(options, path), cache);
      }
      await joinCli(
        options.project,
        cache,
        CLI_SOURCES.map((source) => dirOf(options, source)),
      );
      return;
    }
    case "plugin": {
      const [dir] = await cliDirs(options);
      const plugin = PLUGINS.find((candidate) => candidate.name === of);
      return plugin && installOfficial(dir === undefined ? "pulumi" : join(dir, "pulumi"), cache, plugin);
    }
    case "release": {
      const release = (options.releases ?? releaseFiles(arch)).find((file) => file.name === of);
      if (release && found.releases?.[release.name] === "official") {
        return download(urlOf(options, release.path), release.sha256, join(work, release.path));
      }
      await makeRelease(of as ReleaseName, allBinaries(options), work, arch);
      return;
    }
    case "pause":
      await buildPause(cache, project, sourceNamed("kubernetes"), arch);
      return;
    case "images": {
      const pause = await buildPause(cache, project, sourceNamed("kubernetes"), arch);
      await makeImages({ ...allBinaries(options), pause: join(pause, "pause") }, work, arch);
      return;
    }
    case "mirror":
      return finishMirror(options, found.images);
  }
}

/** Sums the mirror's files and gives its folder its name, by which it counts as whole. */
async function finishMirror(options: ToolchainOptions, images: boolean): Promise<void> {
  const dir = mirrorDir(options);
  const releases = (options.releases ?? releaseFiles(hostArch())).map(({ path }) => path);
  await writeChecksums(`${dir}.new`, [...releases, ...(images ? imagesOf("control-plane").map(archiveOf) : [])]);
  await rm(dir, { recursive: true, force: true });
  await rename(`${dir}.new`, dir);
  await writeFile(join(dir, "README"), "Made by podnet. Safe to delete: it is made again when it is needed.\n");
}

/** Path of every binary that the sources give. */
function allBinaries(options: ToolchainOptions): Binaries {
  return Object.assign({}, ...SOURCES.map((source) => binariesOf(source, dirOf(options, source.name)))) as Binaries;
}
