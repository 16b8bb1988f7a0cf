import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** Name of the stack that the make targets use. */
export const STACK = "lab";

/** Where one clone keeps what it makes: all under `.podnet` in its folder, but the config of its stack. */
export interface ClonePaths {
  readonly project: string;
  /** Config of the stack that the make targets use, where somebody may have set something too. */
  readonly config: string;
  readonly dotPodnet: string;
  /** What the clone notes of itself. */
  readonly clone: string;
  /** Pulumi's file backend. */
  readonly state: string;
  readonly passphrase: string;
  /** Pulumi's home for this clone, with the plugins in it; the user's own is left alone. */
  readonly pulumiHome: string;
  readonly kubeconfig: string;
  /** Record of the engine that podnet started here. */
  readonly engine: string;
  readonly engineLog: string;
  /** Folder of the host in which that engine has its socket. */
  readonly run: string;
  readonly engineData: string;
  /** What the command line last wrote into the stack's config. */
  readonly writtenConfig: string;
  /** There while the lab was mended and its network is not proven since. */
  readonly unproven: string;
  /** Results of the test runs. */
  readonly testResults: string;
}

/** The layout of a clone whose folder is `project`, an absolute path. */
export function clonePaths(project: string): ClonePaths {
  const dotPodnet = join(project, ".podnet");
  return {
    project,
    config: join(project, `Pulumi.${STACK}.yaml`),
    dotPodnet,
    clone: join(dotPodnet, "clone.json"),
    state: join(dotPodnet, "state"),
    passphrase: join(dotPodnet, "passphrase"),
    pulumiHome: join(dotPodnet, "pulumi-home"),
    kubeconfig: join(dotPodnet, "kubeconfig"),
    engine: join(dotPodnet, "engine.json"),
    run: "/run",
    engineLog: join(dotPodnet, "engine.log"),
    engineData: join(dotPodnet, "docker"),
    writtenConfig: join(dotPodnet, "written-config.json"),
    unproven: join(dotPodnet, "unproven"),
    testResults: join(dotPodnet, "test"),
  };
}

/**
 * The cache that all clones of a user share: $PODNET_CACHE, else podnet in $XDG_CACHE_HOME or ~/.cache. Throws where nodes could
 * not read its mirrors, whose URL and whose volume have its path as it is.
 */
export function cacheDir(env: NodeJS.ProcessEnv = process.env): string {
  const cache = resolve(env["PODNET_CACHE"] || join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "podnet"));
  if (!/^[A-Za-z0-9._~@+/-]+$/.test(cache)) {
    throw new Error(
      `the folder of podnet's caches is ${cache}, and nodes read it by a URL that cannot hold all of these characters. ` +
        "Set PODNET_CACHE to a folder whose path has letters, digits and . _ ~ @ + - only; nothing was made",
    );
  }
  return cache;
}
