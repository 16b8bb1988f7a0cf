import { spawnSync } from "node:child_process";
import { cpus, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { bridgeOf, chooseSubnet, HOST_ROUTES, labIdentity, parseHostRoutes } from "../components/lab/identity";

/** The clone that is measured. */
export const PROJECT = resolve(__dirname, "..", "..");
/** Folder of the results. */
export const RESULTS = join(PROJECT, "bench", "results");

/** The machine that figures come from. */
export function machineText(): string {
  return `${String(cpus().length)} cores, ${String(Math.round(totalmem() / 2 ** 30))} GiB`;
}

/** Runs a program that has to succeed and returns what it printed. */
export function sh(command: string, args: readonly string[], input?: string, env: NodeJS.ProcessEnv = {}): string {
  const done = spawnSync(command, args, {
    cwd: PROJECT,
    input,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    env: { ...process.env, ...env },
  });
  if (done.status !== 0) {
    throw new Error(
      `${command} ${args.slice(0, 4).join(" ")} failed:\n${done.stdout.slice(-2000)}\n${done.stderr.slice(-2000)}`,
    );
  }
  return done.stdout;
}

/** Seconds since a moment, to a tenth. */
export const seconds = (started: number): number => Math.round((Date.now() - started) / 100) / 10;

/** Settings that `make up` wrote into its stack, of which a bench takes the engine, image and mirror. */
export interface Settings {
  readonly dockerHost: string;
  readonly nodeImage: string;
  readonly mirror: string;
  readonly mirrorDir: string;
  readonly checksums: string;
}

/** A lab of the bench's own, so that a lab in use is left alone. */
export function lab(kind: string): { readonly name: string; readonly subnet: string; readonly bridge: string } {
  const identity = labIdentity(join(PROJECT, "bench", kind));
  const routes = parseHostRoutes(sh("ip", HOST_ROUTES));
  return { name: identity.name, subnet: chooseSubnet(identity, routes), bridge: bridgeOf(identity.name) };
}

/** Removes what a bench's lab consists of. */
export function removeLab(name: string, bridge: string): void {
  const ids = sh("docker", ["ps", "-aq", "--filter", `label=podnet.lab=${name}`])
    .split("\n")
    .filter(Boolean);
  if (ids.length > 0) {
    sh("docker", ["rm", "-f", "-v", ...ids]);
  }
  spawnSync("docker", ["network", "rm", bridge]);
}

/** The middle value, to a tenth; the mean of the two middle ones of an even number. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : Math.round(((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) * 5) / 10;
}
