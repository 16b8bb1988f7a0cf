import type { ClaimId } from "../../claims";
import { describe } from "../finding";
import { claimsIn, numberOf, type Report, rowOf } from "../report";
import { causeText, partLine, verdictText } from "../table";

/** Failures that a page lists; all are in the JSON. */
const LISTED = 50;

/** The report as Markdown, as a comment on a pull request takes it: the verdict, the causes, the claims, the failures. */
export function markdown(report: Report): string {
  const { causes, warnings, problems, coverage } = report;
  const { kind, seed = 0, asked, notAsked } = coverage;
  const failed = problems.filter(({ status }) => status === "failed");
  const all = Object.values(report.claims).reduce((sum, counts) => sum + counts.failed, 0);
  const more = all - numberOf(failed.slice(0, LISTED));
  return [
    `## ${report.passed ? "✅" : "❌"} ${verdictText(report)}`,
    ...section(
      "Causes",
      causes.map((cause) => `- ${text(causeText(cause))}`),
    ),
    ...partLine(report).flatMap((line) => ["", text(line.trim())]),
    "",
    "| | claim | proofs | |",
    "| --- | --- | ---: | --- |",
    ...claimsIn(report).map(({ id, title }) => row(id, title, report)),
    ...(kind === "full" || report.part !== undefined
      ? []
      : section(`A sample, drawn by the seed ${String(seed)}`, [
          ...asked.map((words) => `- asked: ${text(words)}`),
          ...notAsked.map((words) => `- not asked: ${text(words)}`),
        ])),
    ...section(
      "Warnings",
      warnings.map((warning) => `- ${text(warning)}`),
    ),
    ...section(
      `Failures (${String(all)})`,
      failed.slice(0, LISTED).map((finding) => `- ${text(describe(finding))}`),
    ),
    ...(more > 0 ? [`- and ${String(more)} more`] : []),
    "",
  ].join("\n");
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", `### ${title}`, "", ...lines];
}

function row(id: ClaimId, title: string, report: Report): string {
  const { state, passed, failed, blocked, total, reason } = rowOf(id, report);
  if (state === "na") {
    return `| ⚪ | \`${id}\` | n/a | ${text(reason)} |`;
  }
  const mark = { bad: "❌", open: "➖", good: "✅" }[state];
  const rest = [failed > 0 ? `${String(failed)} failed` : "", blocked > 0 ? `${String(blocked)} blocked` : ""];
  const words = rest.filter((part) => part !== "").join(", ");
  return `| ${mark} | \`${id}\` | ${String(passed)}/${String(total)} | ${text(words === "" ? title : words)} |`;
}

/** A text that Markdown leaves as it is, on one line. */
function text(words: string): string {
  // eslint-disable-next-line no-control-regex
  return words.replaceAll(/[\s\u0000-\u001f]+/g, " ").replaceAll(/[\\`*_{}[\]<>|~]/g, (character) => `\\${character}`);
}
