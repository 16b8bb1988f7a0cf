import { grouped } from "../../args/grouped";
import { type ClaimId, CLAIMS } from "../claims";
import type { Measured, Status } from "../claims/claim";
import type { Explained } from "../cause/causes";
import type { CoverageText } from "../coverage";
import type { Finding } from "./finding";

/** Instances of a claim, counted by how they ended. */
export interface ClaimCounts {
  /** Those that hold. */
  readonly passed: number;
  /** Those that do not hold. */
  readonly failed: number;
  /** Those that something else, which failed, kept from being proven. */
  readonly blocked: number;
  /** Those that the network does not promise. */
  readonly "not-applicable": number;
}

/** What was measured between two pods of different nodes. */
export interface Pair extends Measured {
  readonly source: string;
  readonly target: string;
}

/** Version of the report's shape: a higher one may have more fields, and another meaning of none. */
export const REPORT_VERSION = 1;

/** Findings of a claim that a report lists: those of thirty nodes of which none reaches another are fewer. */
export const LISTED = 20_000;

/** The result of one run, as its JSON output has it; docs/report.schema.json is its JSON Schema. */
export interface Report {
  readonly version: typeof REPORT_VERSION;
  readonly passed: boolean;
  readonly claims: Readonly<Record<ClaimId, ClaimCounts>>;
  /** Why proofs failed, the cause of most of them first; empty where all passed. */
  readonly causes: readonly Explained[];
  /** Findings that did not pass, failures first: of each claim up to {@link LISTED}. */
  readonly problems: readonly Finding[];
  /** Number of further ones, which are counted with their claims. */
  readonly unlisted: number;
  /** What is not claimed or cannot be proven, and why; its instances are counted with their claim. */
  readonly notApplicable: readonly { readonly claim: ClaimId; readonly count: number; readonly reason: string }[];
  /** What was measured of each pair of nodes. */
  readonly pairs: readonly Pair[];
  /** What a user should know and no claim says. */
  readonly warnings: readonly string[];
  /** Id of the network under test. */
  readonly network: string;
  /** Seconds that the run took. */
  readonly seconds: number;
  /** Names of the nodes. */
  readonly nodes: readonly string[];
  /** Where only a part was asked: its claims, and the nodes that what was asked began or ended at. */
  readonly part?: { readonly claims: readonly ClaimId[]; readonly nodes: readonly string[] };
  /** What was asked between nodes, and what was not. */
  readonly coverage: CoverageText;
}

/** Counts the findings. A claim without any finding has not been proven, so the run has not passed. */
export function summarize(
  findings: readonly Finding[],
  context: Pick<Report, "nodes" | "seconds" | "network" | "warnings" | "causes" | "coverage" | "part">,
): Report {
  const claims = countsOf(findings);
  const order: readonly Status[] = ["failed", "blocked"];
  const all = order.flatMap((status) => findings.filter((finding) => finding.status === status));
  const { problems, unlisted } = listed(all);
  const proven = claimsIn(context).every(
    ({ id, leastNodes = 1 }) =>
      claims[id].passed > 0 || claims[id]["not-applicable"] > 0 || context.nodes.length < leastNodes,
  );
  const notApplicable = reasonsOf(findings);
  const pairs = findings.flatMap(({ source, target, measured }) => (measured ? [{ source, target, ...measured }] : []));
  // Where nothing applies, nothing is proven.
  const passed = problems.length === 0 && proven && Object.values(claims).some((counts) => counts.passed > 0);
  return { version: REPORT_VERSION, passed, claims, problems, unlisted, notApplicable, pairs, ...context };
}

/** The claims that a report is about, in its order. */
export function claimsIn({ part }: Pick<Report, "part">): typeof CLAIMS {
  return part === undefined ? CLAIMS : CLAIMS.filter(({ id }) => part.claims.includes(id));
}

function countsOf(findings: readonly Finding[]): Record<ClaimId, ClaimCounts> {
  const counts = Object.fromEntries(
    CLAIMS.map(({ id }) => [
      id,
      { passed: 0, failed: 0, blocked: 0, "not-applicable": 0 } satisfies Record<Status, number>,
    ]),
  ) as Record<ClaimId, Record<Status, number>>;
  for (const { claim, status, count = 1 } of findings) {
    counts[claim][status] += count;
  }
  return counts;
}

/** Why instances of claims do not apply, each reason of a claim once, with their number, claim by claim in the order of the report. */
function reasonsOf(findings: readonly Finding[]): Report["notApplicable"] {
  const byClaim = grouped(
    findings.filter(({ status }) => status === "not-applicable"),
    ({ claim }) => claim,
  );
  return CLAIMS.flatMap(({ id: claim }) =>
    [...grouped(byClaim.get(claim) ?? [], ({ seen }) => seen)].map(([reason, own]) => ({
      claim,
      count: numberOf(own),
      reason,
    })),
  );
}

/** The first findings of each claim, and how many are left away. */
function listed(findings: readonly Finding[]): { readonly problems: Finding[]; readonly unlisted: number } {
  const seen = new Map<ClaimId, number>();
  const problems = findings.filter(({ claim }) => {
    const before = seen.get(claim) ?? 0;
    seen.set(claim, before + 1);
    return before < LISTED;
  });
  return { problems, unlisted: numberOf(findings) - numberOf(problems) };
}

/** Number of proofs that findings stand for. */
export function numberOf(findings: readonly Finding[]): number {
  return findings.reduce((sum, { count = 1 }) => sum + count, 0);
}

/** How a claim stands in a report: it holds, some proof failed, some is open, or it does not apply at all. */
export interface ClaimRow extends ClaimCounts {
  readonly state: "good" | "bad" | "open" | "na";
  /** Proofs that were to be made. */
  readonly total: number;
  /** Why it does not apply, where that is so. */
  readonly reason: string;
}

/** How a claim stands in a report. A claim without a proof is open: nothing shows that it holds. */
export function rowOf(id: ClaimId, { claims, notApplicable }: Report): ClaimRow {
  const counts = claims[id];
  const { passed, failed, blocked, "not-applicable": exempt } = counts;
  const total = passed + failed + blocked;
  const na = total === 0 && exempt > 0;
  const state = na ? "na" : failed > 0 ? "bad" : blocked > 0 || total === 0 ? "open" : "good";
  const reason = na ? (notApplicable.find(({ claim }) => claim === id)?.reason ?? "") : "";
  return { ...counts, state, total, reason };
}
