import { CLAIMS } from "../claims";
import { nodeOf } from "../request";
import { describe } from "./finding";
import { type ClaimCounts, claimsIn, numberOf, type Report, rowOf } from "./report";

/** Colours of a terminal, or none. */
export interface Palette {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly warn: (text: string) => string;
}

/** A palette of ANSI colours where `enabled`, else of none. */
export function palette(enabled: boolean): Palette {
  const paint =
    (code: string) =>
    (text: string): string =>
      enabled ? `\u001b[${code}m${text}\u001b[0m` : text;
  return { good: paint("32"), bad: paint("31"), dim: paint("2"), warn: paint("33") };
}

/** A cause in a line: where it is, what is wrong there, whose packets showed it, and how many proofs failed by it. */
export function causeText({ place, text, example, proofs }: Report["causes"][number]): string {
  const shown = example === undefined ? "" : `, such as those ${example}`;
  return `${place}: ${text}${shown}${proofs === 0 ? "" : ` (${counted(proofs, "proof")} failed by it)`}`;
}

function counted(count: number, what: string): string {
  return `${String(count)} ${what}${count === 1 ? "" : "s"}`;
}

/** The report as a table for a terminal: why proofs failed, each claim with its counts, the failures, who could not reach whom. */
export function renderTable(report: Report, colours: Palette): string {
  return [
    ...causes(report, colours),
    ...partLine(report).map(colours.dim),
    ...claimsIn(report).map((claim) => row(claim, report, colours)),
    ...partly(report).map(({ claim, count, reason }) =>
      colours.dim(`  ○ ${claim}: ${String(count)} more do not apply: ${reason}`),
    ),
    ...report.warnings.map((warning) => `  ${colours.warn("!")} ${warning}`),
    ...failures(report, colours),
    ...matrix(report, colours),
    ...coverage(report, colours),
    "",
    `  ${verdictText(report, report.passed ? colours.good : colours.bad)}`,
    "",
  ].join("\n");
}

function causes({ causes: known }: Report, colours: Palette): string[] {
  return known.length === 0
    ? []
    : [
        `  ${counted(known.length, "cause")}:`,
        ...known.map((cause) => `  ${colours.bad("▸")} ${causeText(cause)}`),
        "",
      ];
}

/** What was asked, where that is not all: the claims are the table's own. */
export function partLine({ part, nodes }: Report): string[] {
  if (part === undefined) {
    return [];
  }
  const about = part.nodes.length === nodes.length ? "" : `, about ${part.nodes.join(", ")}`;
  return [`  only a part was asked: ${String(part.claims.length)} of ${String(CLAIMS.length)} claims${about}`];
}

function row({ id, title }: (typeof CLAIMS)[number], report: Report, colours: Palette): string {
  const width = Math.max(...CLAIMS.map((claim) => claim.id.length));
  const { state, passed, failed, blocked, total, reason } = rowOf(id, report);
  if (state === "na") {
    return `  ${colours.dim("○")} ${id.padEnd(width)} ${"n/a".padStart(9)}  ${colours.dim(reason)}`;
  }
  const mark = { bad: colours.bad("✗"), open: colours.dim("–"), good: colours.good("✓") }[state];
  const counts = `${String(passed)}/${String(total)}`.padStart(9);
  const rest = [
    failed > 0 ? colours.bad(`${String(failed)} failed`) : "",
    blocked > 0 ? colours.dim(`${String(blocked)} blocked`) : "",
  ];
  const tail = rest.filter((part) => part !== "").join(", ");
  return `  ${mark} ${id.padEnd(width)} ${counts}  ${tail === "" ? colours.dim(title) : tail}`;
}

/** Claims of which only some instances do not apply; a claim that does not apply at all says so in its row. */
function partly(report: Report): Report["notApplicable"] {
  return report.notApplicable.filter(({ claim, count }) => {
    const { passed, failed, blocked } = report.claims[claim];
    return count > 0 && passed + failed + blocked > 0;
  });
}

/** Failures of a claim that a table shows one by one before it only counts them, so that one claim does not hide the others. */
const SHOWN = 5;

function failures(report: Report, colours: Palette): string[] {
  const lines = CLAIMS.flatMap(({ id }) => {
    const failed = report.problems.filter(({ status, claim }) => status === "failed" && claim === id);
    const more = report.claims[id].failed - numberOf(failed.slice(0, SHOWN));
    return [
      ...failed.slice(0, SHOWN).map((finding) => `  ${colours.bad("✗")} ${describe(finding)}`),
      ...(more > 0 ? [`  … and ${String(more)} more of ${id}`] : []),
    ];
  });
  return lines.length > 0 ? ["", ...lines] : [];
}

/** What of the nodes was asked and what was not, where that is not all. */
function coverage({ part, coverage: { kind, seed = 0, asked, notAsked } }: Report, colours: Palette): string[] {
  return kind === "full" || part !== undefined
    ? []
    : [
        "",
        `  a sample, drawn by the seed ${String(seed)}:`,
        ...asked.map((text) => `  ${colours.good("·")} asked: ${text}`),
        ...notAsked.map((text) => `  ${colours.warn("·")} not asked: ${text}`),
      ];
}

/** The verdict in words, with the proofs and the seconds; `paint` colours what it says of the network. */
export function verdictText(report: Report, paint: (words: string) => string = (words) => words): string {
  const all = Object.values(report.claims);
  const sum = (count: (counts: ClaimCounts) => number): string =>
    String(all.reduce((total, counts) => total + count(counts), 0));
  const failed = report.problems.some(({ status }) => status === "failed");
  const text = report.passed
    ? `${paint(report.part === undefined ? "the network is proven" : "what was asked is proven")}: ${report.network}`
    : paint(failed ? "the network is broken" : "the network is not proven");
  const proofs = `${sum(({ passed }) => passed)} of ${sum((counts) => counts.passed + counts.failed + counts.blocked)} proofs`;
  return `${text} (${proofs}, ${report.seconds.toFixed(1)} s)`;
}

/** Nodes that fit on a screen side by side. */
const DRAWN = 16;

/** Who reaches whom between nodes, drawn when some pair fails. */
function matrix(report: Report, colours: Palette): string[] {
  const { nodes } = report;
  const drawn = new Set(CLAIMS.filter(({ betweenNodes }) => betweenNodes === true).map(({ id }) => id));
  const broken = new Set(
    report.problems
      .filter(({ claim, status }) => status === "failed" && drawn.has(claim))
      .map(({ source, target }) => `${nodeOf(source)} ${nodeOf(target)}`),
  );
  if (broken.size === 0 || nodes.length > DRAWN) {
    return [];
  }
  const width = Math.max(...nodes.map((name) => name.length), 4);
  const cell = (from: string, to: string): string =>
    broken.has(`${from} ${to}`) ? colours.bad("✗".padStart(width)) : colours.good("·".padStart(width));
  return [
    "",
    `  ${"from \\ to".padEnd(Math.max(width, 9))} ${nodes.map((name) => name.padStart(width)).join(" ")}`,
    ...nodes.map((from) => `  ${from.padEnd(Math.max(width, 9))} ${nodes.map((to) => cell(from, to)).join(" ")}`),
  ];
}
