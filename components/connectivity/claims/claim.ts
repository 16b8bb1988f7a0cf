import type { Cause } from "../cause/cause";
import type { KubeClient } from "../../kubernetes/client";
import type { NetworkPromise } from "../../network/definition";
import type { Coverage } from "../coverage";
import type { Answer } from "../driver";
import type { Facts } from "../facts";
import type { PlannedRequest, ProbePod, Protocol, Request } from "../request";
import type { Topology } from "../topology";

/**
 * How one instance of a claim ended. `blocked` means that it could not be judged, because what it builds on is broken: the
 * finding names that, so that one fault shows as one fault. `not-applicable` means that the claim is not made or cannot be
 * proven here; the finding says why.
 */
export type Status = "passed" | "failed" | "blocked" | "not-applicable";

/** What was measured of a pair: the part of the packets that was lost, 0 to 1, and how long an answer took on average. */
export interface Measured {
  readonly lost: number;
  readonly milliseconds?: number;
}

/** One instance of a claim and how it ended. */
export interface Verdict {
  /** Who asked: `node/probe` for a pod, `node` for a node. */
  readonly source: string;
  /** Who was asked: like `source`, or a service's name. */
  readonly target: string;
  readonly protocol?: Protocol;
  /** Number of proofs that it stands for, which ended alike; 1 by default. */
  readonly count?: number;
  readonly status: Status;
  readonly expected: string;
  /** What was seen instead, or the reason of a block. */
  readonly seen: string;
  /** What was measured of a pair, where that is part of the proof. */
  readonly measured?: Measured;
  /** The request that it is about, where it is one. */
  readonly request?: Request;
}

/** What a claim is judged by: the facts, and the verdicts of the claims that it waits on. */
export interface JudgedBy extends Facts {
  readonly verdictsOf: (claim: string) => readonly Verdict[];
}

/** What a claim's own proof works with, after everything else was judged. */
export interface Proving extends JudgedBy {
  readonly client: KubeClient;
  /** Makes requests once and returns their answers by id. */
  readonly ask: (requests: readonly Request[]) => Promise<ReadonlyMap<string, Answer>>;
  /** Tells what the proof is doing. */
  readonly say: (line: string) => void;
}

/**
 * What a network may not promise of a claim: the instances that `covers` picks, which are then no failures, or the whole
 * claim, which then is not proven and has one finding of this target and expectation.
 */
export type Exemption =
  | { readonly promise: NetworkPromise; readonly covers: (verdict: Verdict) => boolean }
  | { readonly promise: NetworkPromise; readonly target: string; readonly expected: string };

/** Something that the check proves: what it asks and how it judges. */
export interface Claim {
  readonly id: string;
  /** What it says, for the report. */
  readonly title: string;
  /** Ids of the claims whose failures may block it. */
  readonly waitsOn: readonly string[];
  /** Number of nodes without which there is nothing to prove; 1 by default. */
  readonly leastNodes?: number;
  /** Whether a failure is about the way from one node to another, which the report then draws. */
  readonly betweenNodes?: boolean;
  readonly exemption?: Exemption;
  /** What it needs a shell on the nodes for; where the check goes by pods alone, it does not apply. */
  readonly needsNodes?: string;
  /** Brings about what its requests need; a run that was killed may have left something else. */
  readonly prepare?: (client: KubeClient, pods: readonly ProbePod[], coverage: Coverage) => Promise<void>;
  readonly requests: (topology: Topology) => readonly PlannedRequest[];
  readonly judge: (facts: JudgedBy) => readonly Verdict[];
  /** Parts of the claim `as-made` that explain a failure where they differ on a node that the proof is about. */
  readonly explainedBy?: readonly string[];
  /** Why a proof failed, where the verdict itself says that. */
  readonly cause?: (verdict: Verdict, facts: Facts) => Cause | undefined;
  /** The same, where nothing else is found to be the cause. */
  readonly lastCause?: (verdict: Verdict, facts: Facts) => Cause | undefined;
  /** Whether its proof neither disturbs another claim's nor is disturbed by it, so that it may go on beside them. */
  readonly apart?: boolean;
  /** Proves what needs a change in the cluster, takes the change back whatever happens, and judges it. */
  readonly prove?: (proving: Proving) => Promise<readonly Verdict[]>;
}

/** The verdict on a request. */
export function verdict(request: Request, status: Status, expected: string, seen: string): Verdict {
  const { source, target, ask } = request;
  return { source, target, protocol: ask.protocol, status, expected, seen, request };
}

/** Names in a text: sorted, or `none`. */
export function sorted(names: readonly string[]): string {
  return [...names].sort().join(", ") || "none";
}
