import { grouped } from "../args/grouped";
import type { NodeStatus } from "../node/status";
import type { Answer, SeenProbe } from "./driver";
import type { ListedPod } from "./pods";
import type { SeenDns } from "./ready";
import type { Request } from "./request";
import type { Topology } from "./topology";

/** Everything that one run saw before a claim's own proof changed anything. */
export interface Observations {
  /** Probes as their own nodes see them, by node. */
  readonly seen: Readonly<Record<string, readonly SeenProbe[]>>;
  /** Each node's own addresses: whatever its network gave it, it may be seen by any of them. */
  readonly addresses: Readonly<Record<string, readonly string[]>>;
  /** What podnet has on each node, beside what is there of it. */
  readonly statuses: Readonly<Record<string, NodeStatus>>;
  readonly requests: readonly Request[];
  readonly answers: ReadonlyMap<string, Answer>;
  /** The pods of the cluster that have an address on the pod network. */
  readonly pods: readonly ListedPod[];
  /** The cluster's DNS. */
  readonly dns: SeenDns;
}

/** What claims are judged by. */
export interface Facts {
  readonly topology: Topology;
  readonly observations: Observations;
  /** The requests of a claim, in the order of the plan. */
  readonly requestsOf: (claim: string) => readonly Request[];
  readonly answerTo: (request: Request) => Answer;
}

const NO_ANSWER: Answer = { ok: false, error: "the request was not made" };

/** The facts of a run. */
export function factsOf(topology: Topology, observations: Observations): Facts {
  const byClaim = grouped(observations.requests, ({ claim }) => claim);
  return {
    topology,
    observations,
    requestsOf: (claim) => byClaim.get(claim) ?? [],
    answerTo: ({ id }) => observations.answers.get(id) ?? NO_ANSWER,
  };
}
