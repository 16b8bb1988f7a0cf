import { accessSync, constants, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { messageOf, validate } from "../args/validate";
import { checkInput } from "./input";
import { describe, type Finding } from "./report/finding";
import { html } from "./report/formats/html";
import { junit } from "./report/formats/junit";
import { markdown } from "./report/formats/markdown";
import { prometheus } from "./report/formats/prometheus";
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

/** Forms of a report that can be written to a file, by the option that names it. */
const FORMS: Readonly<Record<string, (report: Report, findings: readonly Finding[]) => string>> = {
  json: (report) => `${JSON.stringify(report)}\n`,
  html,
  junit,
  markdown,
  prometheus,
};

const USAGE = `usage: podnet check [--table] ${Object.keys(FORMS)
  .map((form) => `[--${form} FILE]`)
  .join(" ")} <input`;

/** Where each form of the report goes, by its option, and whether standard output stays empty. Throws on an option that is none. */
function optionsOf(words: readonly string[]): {
  readonly tableOnly: boolean;
  readonly files: ReadonlyMap<string, string>;
} {
  const options = Object.fromEntries(Object.keys(FORMS).map((form) => [form, { type: "string" as const }]));
  try {
    const { values } = parseArgs({ args: [...words], options: { table: { type: "boolean" }, ...options } });
    const { table, ...files } = values as Record<string, string | boolean>;
    return {
      tableOnly: table === true,
      files: new Map(Object.entries(files).map(([form, file]) => [form, String(file)])),
    };
  } catch (error) {
    throw new Error(`${messageOf(error)}; ${USAGE}`, { cause: error });
  }
}

/**
 * The command `check`: reads its input as JSON, writes the report as JSON to standard output and the table
 * to standard error. Returns its exit code, 0: every claim holds; 1: some does not; 2: the check could not run. `--table` leaves the
 * JSON away; `--json`, `--html`, `--junit`, `--markdown` and `--prometheus` each write the report to a file in their form.
 */
export async function checkCommand(given: string, words: readonly string[]): Promise<number> {
  const started = process.hrtime.bigint();
  const colours = palette(process.stderr.isTTY && !process.env["NO_COLOR"]);
  const say = (line: string): void => {
    process.stderr.write(`${colours.dim(`connectivity: ${line}`)}\n`);
  };
  try {
    const { tableOnly, files } = optionsOf(words);
    files.forEach((file) => accessSync(dirname(file), constants.W_OK));
    const input = validate("connectivity input", checkInput, JSON.parse(given));
    const { findings, warnings, conditions, causes } = await runCheck(input, say);
    const seconds = Math.round(Number(process.hrtime.bigint() - started) / 1e8) / 10;
    const nodes = Object.keys(input.nodes);
    const report = summarize(findings, { nodes, network: input.network.id, seconds, warnings, causes });
    if (!tableOnly) {
      console.log(JSON.stringify(report));
    }
    files.forEach((file, form) => writeFileSync(file, FORMS[form]?.(report, findings) ?? ""));
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
