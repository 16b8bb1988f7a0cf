import { messageOf, validate } from "../args/validate";
import { checkInput } from "./input";
import { describe } from "./report/finding";
import { summarize } from "./report/report";
import { palette, renderTable } from "./report/table";
import { runCheck } from "./runner";

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
    const { findings, warnings, causes } = await runCheck(input, say);
    const seconds = Math.round(Number(process.hrtime.bigint() - started) / 1e8) / 10;
    const report = summarize(findings, {
      nodes: Object.keys(input.nodes),
      network: input.network.id,
      seconds,
      warnings,
    });
    if (!tableOnly) {
      console.log(JSON.stringify(report));
    }
    process.stderr.write(`${renderTable(report, colours)}\n`);
    if (!report.passed) {
      const first = report.problems[0];
      const text = [...causes, first ? describe(first) : "a claim has no proof"].join("; ");
      process.stderr.write(`connectivity check failed: ${text}\n`);
    }
    return report.passed ? 0 : 1;
  } catch (error) {
    process.stderr.write(`connectivity check could not run: ${messageOf(error)}\n`);
    return 2;
  }
}
