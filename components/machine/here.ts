/** A command of podnet's that runs on the machine that plans, not on a node. */
export type HereCommand =
  "check" | "endpoints" | "preflight" | "hold" | "images" | "lab-keys" | "lab-host" | "lab-network" | "lab-node";

/**
 * Line for a local command that runs podnet itself. It holds no path, so that a stack planned from another folder does not
 * change: podnet is found from the folder in which Pulumi runs the program, or from $PODNET_HOME.
 */
export function hereLine(command: HereCommand, ...words: readonly string[]): string {
  const load = "require('module').createRequire((process.env.PODNET_HOME || process.cwd()) + '/')('podnet/cli')";
  return `exec node -e "${load}.main(process.argv.slice(1))" ${[command, ...words].join(" ")}`;
}
