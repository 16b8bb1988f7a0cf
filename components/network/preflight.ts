import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { messageOf } from "../args/validate";
import { dialTable } from "../machine/dialTable";
import type { Dialled } from "../machine/dialled";
import { Shell } from "../machine/shell";
import { answerLines } from "../node/parameters";
import { programFolder } from "../node/programFiles";
import { FEATURES, type FeatureId, featureProblem, preflightQuestions } from "./features";

/** What the preflight reads from standard input, as JSON. Holds secrets. */
export const preflightInput = z.strictObject({
  /** Id of the network. */
  network: z.string(),
  features: z.array(z.enum(Object.keys(FEATURES) as [FeatureId, ...FeatureId[]])),
  programs: z.array(z.string().regex(/^[a-z][a-z0-9-]*$/)),
  nodes: dialTable,
});

/** Input of the preflight, as it is written and as it is read. */
export type PreflightRequest = z.input<typeof preflightInput>;
/** Input of the preflight, read. */
export type PreflightInput = z.output<typeof preflightInput>;

/** What the preflight prints: the machines that are fit for the network. */
const preflightOutput = z.strictObject({ network: z.string(), fit: z.array(z.string()) });

/** Name by which a machine is known again: another host or host key is another machine. */
function machineId(name: string, { host, hostKey }: Dialled): string {
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

async function missingOn(name: string, ssh: Dialled, { features, programs }: PreflightInput): Promise<string[]> {
  const nonce = createHash("sha256")
    .update(`${name} ${features.join(" ")}`)
    .digest("hex")
    .slice(0, 16);
  const text = readFileSync(join(programFolder(), "preflight"), "utf8");
  const shell = await Shell.open(name, ssh);
  try {
    const { stdout } = await shell.run("bash --norc -p -s", text + preflightQuestions(nonce, features, programs), 30);
    return answerLines(name, "preflight", nonce, stdout);
  } finally {
    shell.close();
  }
}

/**
 * Asks every node that is not known to be fit for what it lacks of a network's needs, changing nothing, and returns all that
 * are fit. Throws one error with all that is missing.
 */
export async function preflight(input: PreflightInput, known: readonly string[] = []): Promise<string[]> {
  const { network, nodes } = input;
  const asked = Object.entries(nodes).filter(([name, ssh]) => !known.includes(machineId(name, ssh)));
  const results = await Promise.allSettled(
    asked.map(async ([name, ssh]): Promise<[string, string[]]> => [name, await missingOn(name, ssh, input)]),
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

/** The command `preflight`: reads its input as JSON and prints which machines are fit. `earlier` is what it printed before. */
export async function preflightCommand(text: string, earlier: string | undefined): Promise<void> {
  const input = preflightInput.parse(JSON.parse(text));
  const fit = await preflight(input, knownFit(input.network, earlier));
  console.log(JSON.stringify({ network: input.network, fit } satisfies z.output<typeof preflightOutput>));
}
