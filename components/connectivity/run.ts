import { messageOf, validate } from "../args/validate";
import { checkInput } from "./input";
import { describe } from "./report/finding";
import { type Report, summarize } from "./report/report";
import { causeText, palette, renderTable } from "./report/table";
import { runCheck } from "./runner";

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

/**
 * The command `check`: reads its input as JSON, writes the report as JSON to standard output and the table
 * to standard error. Returns its exit code, 0: every claim holds; 1: some does not; 2: the check could not run. `--table` leaves the
 * JSON away.
 */
export async function checkCommand(given: string, words: readonly string[]): Promise<number> {
  const started = process.hrtime.bigint();
  const tableOnly = words.includes("--table");
  const colours = palette(process.stderr.isTTY && !process.env["NO_COLOR"]);
  const say = (line: string): void => {
    process.stderr.write(`${colours.dim(`connectivity: ${line}`)}\n`);
  };
  try {
    const input = validate("connectivity input", checkInput, JSON.parse(given));
    const { findings, warnings, conditions, causes } = await runCheck(input, say);
    const seconds = Math.round(Number(process.hrtime.bigint() - started) / 1e8) / 10;
    const report = summarize(findings, {
      nodes: Object.keys(input.nodes),
      network: input.network.id,
      seconds,
      warnings,
      causes,
    });
    if (!tableOnly) {
      console.log(JSON.stringify(report));
    }
    process.stderr.write(`${renderTable(report, colours)}\n`);
    if (!report.passed) {
      process.stderr.write(`connectivity check failed: ${[...conditions, ...reasonsOf(report)].join("; ")}\n`);
    }
    return report.passed ? 0 : 1;
  } catch (error) {
    process.stderr.write(`connectivity check could not run: ${messageOf(error)}\n`);
    return 2;
  }
}
