import { type ClaimId, CLAIMS } from "../claims";
import type { Verdict } from "../claims/claim";
import type { Verdicts } from "../judge";

/** One instance of a claim and how it ended, as the report has it. */
export interface Finding extends Omit<Verdict, "request"> {
  readonly claim: ClaimId;
}

/** The verdicts as findings, claim by claim in the order of the report. */
export function findingsOf(verdicts: Verdicts): Finding[] {
  return CLAIMS.flatMap(({ id: claim }) =>
    (verdicts.get(claim) ?? []).map(({ source, target, protocol, count, status, expected, seen, measured }) => ({
      claim,
      source,
      target,
      ...(protocol !== undefined && { protocol }),
      ...(count !== undefined && { count }),
      status,
      expected,
      seen,
      ...(measured !== undefined && { measured }),
    })),
  );
}

/** One line for a finding: claim, source, target, what was expected and what was seen. */
export function describe({ claim, source, target, protocol, expected, seen }: Finding): string {
  return `${claim}: ${source} -> ${target}${protocol ? ` (${protocol})` : ""}: expected ${expected}; saw ${seen}`;
}
