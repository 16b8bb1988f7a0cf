import { delimiter } from "node:path";
import { pathToFileURL } from "node:url";
import { OTHERS } from "../../components/lab/docker";
import { cloneLab } from "../host/cloneLab";
import { quote } from "../host/quote";
import type { ClonePaths } from "../host/paths";

export { STACK } from "../host/paths";

/** Variable that says which folders of PATH are podnet's, so that the next environment can take them out. */
const ADDED = "PODNET_PATH";

/**
 * A PATH that begins with these folders and names each folder once, however often it is made. The folders that an earlier
 * environment added, of this clone or another one, go.
 */
export function pathWith(binDirs: readonly string[], path: string, added = ""): string {
  const gone = added.split(delimiter);
  const others = path.split(delimiter).filter((dir) => dir !== "" && !gone.includes(dir));
  return [...new Set([...binDirs, ...others])].join(delimiter);
}

/** Variable that says what of NO_PROXY is podnet's, so that the next environment can take it out. */
const UNPROXIED = "PODNET_NO_PROXY";

/**
 * Variables by which no proxy is asked for this machine's own addresses and the lab's: Pulumi talks to its program and its plugins
 * by 127.0.0.1. What a user has there stays. Nothing where the environment names no proxy.
 */
export function proxyEnv(
  addresses: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const proxied = ["http_proxy", "https_proxy", "all_proxy", "grpc_proxy"].some(
    (name) => (env[name] ?? env[name.toUpperCase()] ?? "") !== "",
  );
  if (!proxied) {
    return {};
  }
  const words = (text: string | undefined): string[] => (text ?? "").split(",").map((word) => word.trim());
  const gone = ["", ...words(env[UNPROXIED])];
  const own = [...words(env["NO_PROXY"]), ...words(env["no_proxy"])].filter((word) => !gone.includes(word));
  const added = addresses.filter((address) => !own.includes(address));
  const list = [...new Set([...own, ...added])].join(",");
  // Go reads the one name first, grpc-js and curl the other.
  return { NO_PROXY: list, no_proxy: list, [UNPROXIED]: added.join(",") };
}

/**
 * Pulumi's backend that keeps states in a folder. Without files of attributes beside them: one that a kill left empty made the state
 * unreadable ("failed to load checkpoint: EOF").
 */
export function backendUrl(folder: string): string {
  return `${pathToFileURL(folder).href}?metadata=skip`;
}

/** What somebody reaches another engine by, made empty: the docker client takes that for unset. */
function otherEngine(dockerHost: string): Record<string, string> {
  const set = dockerHost === process.env["DOCKER_HOST"] ? [] : OTHERS.filter((name) => process.env[name] !== undefined);
  return Object.fromEntries(set.map((name) => [name, ""]));
}

/** Environment in which plain `pulumi` works on a clone's stack. `subnet` is its lab's network, where that is not written down yet. */
export function stackEnv(
  paths: ClonePaths,
  binDirs: readonly string[],
  dockerHost: string | undefined,
  subnet?: string,
): Record<string, string> {
  const { labSubnet = subnet, serviceCidr } = cloneLab(paths);
  return {
    PATH: pathWith(binDirs, process.env["PATH"] ?? "", process.env[ADDED]),
    [ADDED]: binDirs.join(delimiter),
    PULUMI_HOME: paths.pulumiHome,
    PULUMI_BACKEND_URL: backendUrl(paths.state),
    PULUMI_CONFIG_PASSPHRASE_FILE: paths.passphrase,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    KUBECONFIG: paths.kubeconfig,
    ...(dockerHost !== undefined && { ...otherEngine(dockerHost), DOCKER_HOST: dockerHost }),
    ...proxyEnv(["127.0.0.1", "localhost", ...(labSubnet === undefined ? [] : [labSubnet]), serviceCidr]),
  };
}

/**
 * Variables of somebody's own that would beat what {@link stackEnv} sets, such as another passphrase, stack or podnet. None of
 * Pulumi's is needed beside those that are set.
 */
export function foreignNames(env: Readonly<Record<string, string | undefined>>): string[] {
  const own = ["PULUMI_HOME", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_SKIP_UPDATE_CHECK"];
  return Object.keys(env)
    .filter((name) => (name.startsWith("PULUMI_") && !own.includes(name)) || name === "PODNET_HOME")
    .sort();
}

/** Takes {@link foreignNames} out of this process's environment, and so out of all that it starts. */
export function dropForeign(env: NodeJS.ProcessEnv = process.env): void {
  for (const name of foreignNames(env)) {
    Reflect.deleteProperty(env, name);
  }
}

/**
 * Lines that set a shell's environment: variables, and what would beat them unset. A token of somebody's stays, which a backend
 * of files does not look at.
 */
export function envLines(
  variables: Readonly<Record<string, string>>,
  before: Readonly<Record<string, string | undefined>>,
): string[] {
  const foreign = foreignNames(before).filter((name) => name !== "PULUMI_ACCESS_TOKEN");
  return [
    ...foreign.map((name) => `unset ${name}`),
    ...Object.entries(variables).map(([name, value]) => `export ${name}=${quote(value)}`),
  ];
}
