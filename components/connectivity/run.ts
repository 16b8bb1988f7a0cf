import { writeFileSync } from "node:fs";
import { messageOf, validate } from "../args/validate";
import { clusterInput } from "./foreign";
import { type CheckInput, checkInput } from "./input";
import { type Asked, FORMS, optionsOf } from "./options";
import { describe } from "./report/finding";
import { type Report, summarize } from "./report/report";
import { causeText, type Palette, palette, renderTable } from "./report/table";
import type { Say } from "./ready";
import { type Outcome, runByPods, runCheck } from "./runner";
import { partOf, type Selection } from "./selection";

/** Causes that the last line of a failed check names. */
const NAMED = 3;

/** Why a check failed, in a few words: its first causes, or its first failure where none is known. */
function reasonsOf({ causes, problems: [first] }: Report): string[] {
  const known = causes.slice(0, NAMED).map(causeText);
  const more = causes.length - known.length;
  return [
    ...known,
    ...(more > 0 ? [`and ${String(more)} more causes`] : []),
    ...(causes.length === 0 ? [first ? describe(first) : "a claim has no proof"] : []),
  ];
}

/** How a run of the check ended, with its exit code, 0: every claim holds; 1: some does not; 2: the check could not run. */
export interface Ran {
  readonly code: 0 | 1 | 2;
  readonly report?: Report;
}

/** Where a run tells what it does, and where its table goes. */
export interface Telling {
  readonly progress: (line: string) => void;
  readonly result: (text: string) => void;
}

/** The colours of standard error. */
export const colours = (): Palette => palette(process.stderr.isTTY && !process.env["NO_COLOR"]);

const toStderr: Telling = {
  progress: (line) => process.stderr.write(`${colours().dim(line)}\n`),
  result: (text) => process.stderr.write(text),
};

/** Runs the check once on its input, JSON text, and writes its report: each form to its file, and the table where it is told. */
export async function runOnce(given: string, { files, selection }: Asked, telling = toStderr): Promise<Ran> {
  const started = process.hrtime.bigint();
  const say = (line: string): void => telling.progress(`connectivity: ${line}`);
  try {
    const { input, findings, ...found } = await runGiven(parsed(given), selection, say);
    const seconds = Math.round(Number(process.hrtime.bigint() - started) / 1e8) / 10;
    const { warnings, conditions, causes, coverage } = found;
    const part = partOf(selection, Object.keys(input.nodes));
    const report = summarize(findings, {
      nodes: Object.keys(input.nodes),
      network: input.network.id,
      seconds,
      warnings,
      causes,
      // That is of a whole run; what a part asked, its claims and nodes say.
      coverage: part === undefined ? coverage : { ...coverage, asked: [], notAsked: [] },
      part,
    });
    files.forEach((file, form) => writeFileSync(file, FORMS[form](report, findings)));
    telling.result(`${renderTable(report, colours())}\n`);
    if (!report.passed) {
      telling.result(`connectivity check failed: ${[...conditions, ...reasonsOf(report)].join("; ")}\n`);
    }
    return { code: report.passed ? 0 : 1, report };
  } catch (error) {
    return couldNotRun(error, telling);
  }
}

/** The input, out of its JSON text; that is a secret, of which no message repeats a piece. */
function parsed(given: string): unknown {
  try {
    return JSON.parse(given);
  } catch {
    throw new Error(`the input is no JSON; it is what a stack's output "verify" has`);
  }
}

/** Runs the check of a stack's cluster, whose nodes are declared, or of one that is only known by its kubeconfig. */
async function runGiven(
  given: unknown,
  selection: Selection,
  say: Say,
): Promise<Outcome & { readonly input: CheckInput }> {
  if (typeof given === "object" && given !== null && !("nodes" in given) && "kubeconfig" in given) {
    return runByPods(validate("connectivity input", clusterInput, given), selection, say);
  }
  const input = validate("connectivity input", checkInput, given);
  return { ...(await runCheck(input, selection, say)), input };
}

/** Tells why the check could not run. */
export function couldNotRun(error: unknown, { result } = toStderr): Ran {
  result(`connectivity check could not run: ${messageOf(error)}\n`);
  return { code: 2 };
}

/** Prints a run's report as JSON to standard output where `--table` does not say otherwise, and returns the run's exit code. */
export function printed({ code, report }: Ran, { tableOnly }: Asked): Ran["code"] {
  if (report && !tableOnly) {
    console.log(JSON.stringify(report));
  }
  return code;
}

/**
 * The command `check`: reads its input as JSON, writes the report as JSON to standard output and the table to standard error.
 * Returns its exit code, that of {@link Ran}. Its options are those of {@link optionsOf}; `--table` leaves the JSON away.
 */
export async function checkCommand(given: string, words: readonly string[]): Promise<number> {
  let asked: Asked;
  try {
    asked = optionsOf("check", words);
  } catch (error) {
    return couldNotRun(error).code;
  }
  return printed(await runOnce(given, asked), asked);
}
