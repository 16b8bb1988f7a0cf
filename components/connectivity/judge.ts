import { allSettled } from "../args/settled";
import { CLAIMS } from "./claims";
import type { Claim, Exemption, JudgedBy, Proving, Verdict } from "./claims/claim";
import type { Facts } from "./facts";
import type { CheckInput } from "./input";

/** The verdicts of each claim, by its id. */
export type Verdicts = ReadonlyMap<string, readonly Verdict[]>;

type Network = CheckInput["network"];

/**
 * Judges each claim after those that it waits on: what builds on something broken is blocked, so that one fault shows as one
 * fault. What the network does not promise is no failure.
 */
export function judge(facts: Facts, claims: readonly Claim[] = CLAIMS): Verdicts {
  const { network } = facts.topology.input;
  const verdicts = new Map<string, readonly Verdict[]>();
  for (const claim of afterWhatTheyWaitOn(claims)) {
    const exempt = exemptAsAWhole(claim, facts.topology.input);
    const own = exempt ? [exempt] : claim.judge(judgedBy(claim, facts, verdicts));
    verdicts.set(
      claim.id,
      own.map((verdict) => withExemption(claim.exemption, network, verdict)),
    );
  }
  return verdicts;
}

/** Lets each claim that has a proof of its own prove it, one after another or beside the others, and adds what came of it. */
export async function prove(
  facts: Facts,
  verdicts: Verdicts,
  tools: Pick<Proving, "client" | "ask" | "say">,
  claims: readonly Claim[] = CLAIMS,
): Promise<Verdicts> {
  const all = new Map(verdicts);
  const verdictsOf = (id: string): readonly Verdict[] => verdicts.get(id) ?? [];
  const proveOne = async (claim: Claim): Promise<void> => {
    const own = await claim.prove?.({ ...facts, ...tools, verdictsOf });
    all.set(claim.id, [...verdictsOf(claim.id), ...(own ?? [])]);
  };
  const due = claims.filter((claim) => !exemptAsAWhole(claim, facts.topology.input));
  const oneByOne = async (): Promise<void> => {
    for (const claim of due.filter(({ apart }) => apart !== true)) {
      await proveOne(claim);
    }
  };
  // Each takes back what it changed, also where another fails.
  await allSettled([oneByOne(), ...due.filter(({ apart }) => apart === true).map(proveOne)]);
  return all;
}

/** What a claim may see of the others: only what it says that it waits on, or the order would be a matter of luck. */
function judgedBy(claim: Claim, facts: Facts, verdicts: Verdicts): JudgedBy {
  return {
    ...facts,
    verdictsOf: (id) => {
      if (!claim.waitsOn.includes(id)) {
        throw new Error(`the claim ${claim.id} looks at ${id} and does not say that it waits on it`);
      }
      return verdicts.get(id) ?? [];
    },
  };
}

function afterWhatTheyWaitOn(claims: readonly Claim[]): Claim[] {
  const sorted: Claim[] = [];
  const visit = (claim: Claim, path: readonly string[]): void => {
    if (path.includes(claim.id)) {
      throw new Error(`claims wait on each other: ${[...path, claim.id].join(", ")}`);
    }
    if (sorted.includes(claim)) {
      return;
    }
    for (const id of claim.waitsOn) {
      const other = claims.find((candidate) => candidate.id === id);
      if (!other) {
        throw new Error(`the claim ${claim.id} waits on ${id}, which is none`);
      }
      visit(other, [...path, claim.id]);
    }
    sorted.push(claim);
  };
  claims.forEach((claim) => visit(claim, []));
  return sorted;
}

function reasonOf(exemption: Exemption | undefined, network: Network): string | undefined {
  return network.notApplicable.find(({ promise }) => promise === exemption?.promise)?.reason;
}

/** Why a claim is not made at all: the network does not promise it, or the check has no shell on the nodes that it needs. */
export function exemptAsAWhole({ exemption, needsNodes, title }: Claim, input: CheckInput): Verdict | undefined {
  const { network } = input;
  if (needsNodes !== undefined && input.podsAlone) {
    const seen = `needs a shell on the nodes, ${needsNodes}; this check goes by pods alone`;
    return { source: network.id, target: "nodes", status: "not-applicable", expected: title, seen };
  }
  const reason = reasonOf(exemption, network);
  if (!exemption || "covers" in exemption || reason === undefined) {
    return undefined;
  }
  const { target, expected } = exemption;
  return { source: network.id, target, status: "not-applicable", expected, seen: reason };
}

function withExemption(exemption: Exemption | undefined, network: Network, verdict: Verdict): Verdict {
  const reason = reasonOf(exemption, network);
  return exemption &&
    "covers" in exemption &&
    reason !== undefined &&
    verdict.status === "failed" &&
    exemption.covers(verdict)
    ? { ...verdict, status: "not-applicable", seen: reason }
    : verdict;
}
