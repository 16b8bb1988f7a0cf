import { text } from "node:stream/consumers";
import { z } from "zod";
import { connection } from "../connectivity/input";
import { NodeShell } from "../connectivity/ssh";
import { messageOf } from "../validate";
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

/** Asks every node for what it lacks of a network's needs, changing nothing. Throws one error with all that is missing. */
export async function preflight({ network, features, programs, nodes }: PreflightInput): Promise<void> {
  const script = featuresScript(features, programs);
  const results = await Promise.allSettled(
    Object.entries(nodes).map(async ([name, ssh]): Promise<[string, string[]]> => {
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
}

async function main(): Promise<void> {
  try {
    await preflight(preflightInput.parse(JSON.parse(await text(process.stdin))));
    console.log("fit");
  } catch (error) {
    console.error(messageOf(error));
    process.exitCode = 1;
  }
}

if (require.main === module) {
  void main();
}
