import { type Claim, CLAIM_IDS, CLAIMS, type Finding, type Status } from "../claims";

const STATUSES = ["passed", "failed", "blocked", "not-applicable"] as const satisfies readonly Status[];

/** Instances of a claim, counted by how they ended. */
export type Counts = Readonly<Record<Status, number>>;

/** The result of one run, as its JSON output has it. */
export interface Report {
  readonly passed: boolean;
  readonly claims: Readonly<Record<Claim, Counts>>;
  /** Every finding that did not pass, failures first. */
  readonly problems: readonly Finding[];
  /** What the network does not claim, and why; its instances are counted with their claim. */
  readonly notApplicable: readonly { readonly claim: Claim; readonly count: number; readonly reason: string }[];
  /** What a user should know and no claim says. */
  readonly warnings: readonly string[];
  /** Id of the network under test. */
  readonly network: string;
  /** Seconds that the run took. */
  readonly seconds: number;
  /** Names of the nodes. */
  readonly nodes: readonly string[];
}

/** Counts the findings. A claim without any finding has not been proven, so the run has not passed. */
export function summarize(
  findings: readonly Finding[],
  context: Pick<Report, "nodes" | "seconds" | "network" | "warnings">,
): Report {
  const { nodes } = context;
  const claims = Object.fromEntries(
    CLAIM_IDS.map((claim) => {
      const own = findings.filter((finding) => finding.claim === claim);
      const count = (status: Status): number => own.filter((finding) => finding.status === status).length;
      return [claim, Object.fromEntries(STATUSES.map((status) => [status, count(status)]))];
    }),
  ) as Record<Claim, Counts>;
  const exempt = findings.filter(({ status }) => status === "not-applicable");
  const notApplicable = CLAIM_IDS.flatMap((claim) => {
    const reasons = exempt.filter((finding) => finding.claim === claim).map(({ seen }) => seen);
    return [...new Set(reasons)].map((reason) => ({
      claim,
      count: reasons.filter((other) => other === reason).length,
      reason,
    }));
  });
  const order: readonly Status[] = ["failed", "blocked"];
  const problems = order.flatMap((status) => findings.filter((finding) => finding.status === status));
  const proven = CLAIM_IDS.every(
    (claim) =>
      claims[claim].passed > 0 || claims[claim]["not-applicable"] > 0 || (claim === "mtu" && nodes.length === 1),
  );
  return { passed: problems.length === 0 && proven, claims, problems, notApplicable, ...context };
}

/** One line for a finding: claim, source, target, what was expected and what was seen. */
export function describe({ claim, source, target, protocol, expected, seen }: Finding): string {
  return `${claim}: ${source} -> ${target}${protocol ? ` (${protocol})` : ""}: expected ${expected}; saw ${seen}`;
}

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

/** Failures that a table shows one by one before it only counts them. */
const SHOWN = 20;

/** The report as a table for a terminal: each claim with its counts, then the failures, then who could not reach whom. */
export function renderTable(report: Report, colours: Palette): string {
  const width = Math.max(...CLAIM_IDS.map((claim) => claim.length));
  const rows = CLAIM_IDS.map((claim) => {
    const { passed, failed, blocked, "not-applicable": exempt } = report.claims[claim];
    const total = passed + failed + blocked;
    if (total === 0 && exempt > 0) {
      const reason = report.notApplicable.find((entry) => entry.claim === claim)?.reason ?? "";
      return `  ${colours.dim("○")} ${claim.padEnd(width)} ${"n/a".padStart(9)}  ${colours.dim(reason)}`;
    }
    const mark = failed > 0 ? colours.bad("✗") : blocked > 0 || total === 0 ? colours.dim("–") : colours.good("✓");
    const counts = `${String(passed)}/${String(total)}`.padStart(9);
    const rest = [
      failed > 0 ? colours.bad(`${String(failed)} failed`) : "",
      blocked > 0 ? colours.dim(`${String(blocked)} blocked`) : "",
    ];
    const tail = rest.filter((part) => part !== "").join(", ");
    return `  ${mark} ${claim.padEnd(width)} ${counts}  ${tail === "" ? colours.dim(CLAIMS[claim]) : tail}`;
  });
  const failures = report.problems.filter(({ status }) => status === "failed");
  const more = failures.length - SHOWN;
  const shown = failures.slice(0, SHOWN).map((finding) => `  ${colours.bad("✗")} ${describe(finding)}`);
  const all = Object.values(report.claims);
  const sum = (count: (counts: Counts) => number): string =>
    String(all.reduce((total, counts) => total + count(counts), 0));
  const verdict = report.passed
    ? colours.good("the network is proven")
    : colours.bad(failures.length > 0 ? "the network is broken" : "the network is not proven");
  const partly = report.notApplicable.filter(({ claim, count }) => {
    const { passed, failed, blocked } = report.claims[claim];
    return count > 0 && passed + failed + blocked > 0;
  });
  return [
    ...rows,
    ...partly.map(({ claim, count, reason }) =>
      colours.dim(`  ○ ${claim}: ${String(count)} more do not apply: ${reason}`),
    ),
    ...report.warnings.map((warning) => `  ${colours.warn("!")} ${warning}`),
    ...(shown.length > 0 ? ["", ...shown] : []),
    ...(more > 0 ? [`  … and ${String(more)} more failures`] : []),
    ...matrix(report, colours),
    "",
    `  ${verdict}${report.passed ? `: ${report.network}` : ""} (${sum(({ passed }) => passed)} of ${sum(({ passed, failed, blocked }) => passed + failed + blocked)} proofs, ${report.seconds.toFixed(1)} s)`,
    "",
  ].join("\n");
}

/** Who reaches whom between nodes, drawn when some pair fails and the nodes fit on a screen. */
function matrix(report: Report, colours: Palette): string[] {
  const { nodes } = report;
  const pairs = report.problems.filter(
    ({ claim, status }) =>
      status === "failed" && ["pod-to-pod", "node-to-pod", "pod-to-node", "no-nat", "mtu"].includes(claim),
  );
  if (pairs.length === 0 || nodes.length > 16) {
    return [];
  }
  const nodeOf = (name: string): string => name.split("/")[0] ?? name;
  const width = Math.max(...nodes.map((name) => name.length), 4);
  const cell = (from: string, to: string): string => {
    const failed = pairs.some(({ source, target }) => nodeOf(source) === from && nodeOf(target) === to);
    const text = (failed ? "✗" : "·").padStart(width);
    return failed ? colours.bad(text) : colours.good(text);
  };
  return [
    "",
    `  ${"from \\ to".padEnd(Math.max(width, 9))} ${nodes.map((name) => name.padStart(width)).join(" ")}`,
    ...nodes.map((from) => `  ${from.padEnd(Math.max(width, 9))} ${nodes.map((to) => cell(from, to)).join(" ")}`),
  ];
}
