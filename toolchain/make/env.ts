import { delimiter } from "node:path";
import type { ClonePaths } from "../host/paths";

/** Name of the stack that the make targets use. */
export const STACK = "lab";

/** A PATH that begins with these folders and names each folder once, however often it is made. */
export function pathWith(binDirs: readonly string[], path: string): string {
  const others = path.split(delimiter).filter((dir) => dir !== "");
  return [...new Set([...binDirs, ...others])].join(delimiter);
}

/** Environment in which plain `pulumi` works on a clone's stack. */
export function stackEnv(
  paths: ClonePaths,
  binDirs: readonly string[],
  dockerHost: string | undefined,
): Record<string, string> {
  return {
    PATH: pathWith(binDirs, process.env["PATH"] ?? ""),
    PULUMI_HOME: paths.pulumiHome,
    PULUMI_BACKEND_URL: `file://${paths.state}`,
    PULUMI_CONFIG_PASSPHRASE_FILE: paths.passphrase,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    KUBECONFIG: paths.kubeconfig,
    ...(dockerHost !== undefined && { DOCKER_HOST: dockerHost }),
  };
}
