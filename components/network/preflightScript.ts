import { createHash } from "node:crypto";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { connection } from "../connectivity/input";
import { NodeShell } from "../connectivity/ssh";
import { messageOf } from "../args/validate";
import { FEATURES, type FeatureId, featureProblem, featuresScript } from "./features";

/** What the preflight reads from standard input, as JSON. Holds secrets. */
export const preflightInput = z.strictObject({
  /** Id of the network. */
  network: z.string(),
  features: z.array(z.enum(Object.keys(FEATURES) as [FeatureId, ...FeatureId[]])),
  programs: z.array(z.string().regex(/^[a-z][a-z0-9-]*$/)),
  nodes: z.record(z.string(), connection),
});

/** Input of the preflight. */
export type PreflightInput = z.output<typeof preflightInput>;

/** What the preflight prints: the machines that are fit for the network. */
const preflightOutput = z.strictObject({ network: z.string(), fit: z.array(z.string()) });

/** Name by which a machine is known again: another host or host key is another machine. */
function machineId(name: string, { host, hostKey }: PreflightInput["nodes"][string]): string {
  return `${name} ${createHash("sha256").update(`${host} ${hostKey}`).digest("hex").slice(0, 16)}`;
}

/** The machines that an earlier run, by what it printed, found fit for this network. */
export function knownFit(network: string, earlier: string | undefined): readonly string[] {
  try {
    const output = preflightOutput.parse(JSON.parse(earlier ?? ""));
    return output.network === network ? output.fit : [];
  } catch {
    return [];
  }
}

/**
 * Asks every node that is not known to be fit for what it lacks of a network's needs, changing nothing, and returns all that
 * are fit. Throws one error with all that is missing.
 */
export async function preflight(
  { network, features, programs, nodes }: PreflightInput,
  known: readonly string[] = [],
): Promise<string[]> {
  const script = featuresScript(features, programs);
  const asked = Object.entries(nodes).filter(([name, ssh]) => !known.includes(machineId(name, ssh)));
  const results = await Promise.allSettled(
    asked.map(async ([name, ssh]): Promise<[string, string[]]> => {
      const shell = await NodeShell.open(name, ssh);
      try {
        const { code, stdout, stderr } = await shell.run(script);
        if (code !== 0) {
          throw new Error(`${name}: the look at its kernel failed: ${stderr.trim()}`);
        }
        return [name, stdout.split("\n").filter((line) => line !== "")];
      } finally {
        shell.close();
      }
    }),
  );
  const refused = results.flatMap((result) => (result.status === "rejected" ? [messageOf(result.reason)] : []));
  if (refused.length > 0) {
    throw new Error(`cannot look at every machine:\n  ${refused.join("\n  ")}`);
  }
  const missing = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const problem = featureProblem(network, Object.fromEntries(missing));
  if (problem !== undefined) {
    throw new Error(problem);
  }
  return Object.entries(nodes).map(([name, ssh]) => machineId(name, ssh));
}

async function main(): Promise<void> {
  try {
    const input = preflightInput.parse(JSON.parse(await text(process.stdin)));
    const fit = await preflight(input, knownFit(input.network, process.env["PULUMI_COMMAND_STDOUT"]));
    console.log(JSON.stringify({ network: input.network, fit } satisfies z.output<typeof preflightOutput>));
  } catch (error) {
    console.error(messageOf(error));
    process.exitCode = 1;
  }
}

if (require.main === module) {
  void main();
}
