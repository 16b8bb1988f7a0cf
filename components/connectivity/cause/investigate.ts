import type { Shell } from "../../machine/shell";
import type { AskOnce } from "../asking";
import type { Facts } from "../facts";
import type { Verdicts } from "../judge";
import { type Followed, flowsOf } from "./flows";
import { follow, type FollowedSights } from "./follow";

/** What an investigation works with. */
export interface Means {
  readonly shells: ReadonlyMap<string, Shell>;
  /** Makes requests once. */
  readonly ask: AskOnce;
  /** Tells what it is doing. */
  readonly say: (line: string) => void;
}

/** The packets that were followed, and what the nodes saw of them. */
export interface Evidence extends FollowedSights {
  readonly followed: readonly Followed[];
}

/**
 * Follows the packets of failed proofs between pods and nodes; asks nothing where none failed. It goes before anything is changed for
 * a proof: a new pod makes the network's plugin set its bridge and its settings anew, which would hide the cause.
 */
export async function investigate(
  { topology, observations }: Facts,
  verdicts: Verdicts,
  { shells, ask, say }: Means,
): Promise<Evidence> {
  const followed = flowsOf([...verdicts.values()].flat(), topology);
  if (followed.length === 0) {
    return { followed, byNode: {}, troubles: [] };
  }
  say(`following the packets of failed proofs, hop by hop, on ${String(followed.length)} ways`);
  return { followed, ...(await follow(followed, shells, observations.seen, ask)) };
}
