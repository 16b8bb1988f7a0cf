import { CLAIMS } from "../../claims";
import { describe } from "../finding";
import type { Report } from "../report";
import { causeText, verdictText } from "../table";

/** Failures that a page lists; all are in the JSON. */
const LISTED = 50;

/** The report as Markdown, as a comment on a pull request takes it: the verdict, the causes, the claims, the failures. */
export function markdown(report: Report): string {
  const { causes, warnings, problems } = report;
  const failed = problems.filter(({ status }) => status === "failed");
  const more = failed.length - LISTED;
  return [
    `## ${report.passed ? "✅" : "❌"} ${verdictText(report)}`,
    ...section(
      "Causes",
      causes.map((cause) => `- ${text(causeText(cause))}`),
    ),
    "",
    "| | claim | proofs | |",
    "| --- | --- | ---: | --- |",
    ...CLAIMS.map(({ id, title }) => row(id, title, report)),
    ...section(
      "Warnings",
      warnings.map((warning) => `- ${text(warning)}`),
    ),
    ...section(
      `Failures (${String(failed.length)})`,
      failed.slice(0, LISTED).map((finding) => `- ${text(describe(finding))}`),
    ),
    ...(more > 0 ? [`- and ${String(more)} more`] : []),
    "",
  ].join("\n");
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", `### ${title}`, "", ...lines];
}

function row(id: (typeof CLAIMS)[number]["id"], title: string, { claims, notApplicable }: Report): string {
  const { passed, failed, blocked, "not-applicable": exempt } = claims[id];
  const total = passed + failed + blocked;
  if (total === 0 && exempt > 0) {
    const reason = notApplicable.find(({ claim }) => claim === id)?.reason ?? "";
    return `| ⚪ | \`${id}\` | n/a | ${text(reason)} |`;
  }
  const mark = failed > 0 ? "❌" : blocked > 0 || total === 0 ? "➖" : "✅";
  const rest = [failed > 0 ? `${String(failed)} failed` : "", blocked > 0 ? `${String(blocked)} blocked` : ""];
  const words = rest.filter((part) => part !== "").join(", ");
  return `| ${mark} | \`${id}\` | ${String(passed)}/${String(total)} | ${text(words === "" ? title : words)} |`;
}

/** A text that Markdown leaves as it is, on one line. */
function text(words: string): string {
  // eslint-disable-next-line no-control-regex
  return words.replaceAll(/[\s\u0000-\u001f]+/g, " ").replaceAll(/[\\`*_{}[\]<>|~]/g, (character) => `\\${character}`);
}
