import type { Shell } from "../../machine/shell";
import type { AskOnce } from "../asking";
import type { Facts } from "../facts";
import type { Verdicts } from "../judge";
import { causesOf, type Explained } from "./causes";
import { flowsOf } from "./flows";
import { follow } from "./follow";

/** What an investigation works with. */
export interface Means {
  readonly shells: ReadonlyMap<string, Shell>;
  /** Makes requests once. */
  readonly ask: AskOnce;
  /** Tells what it is doing. */
  readonly say: (line: string) => void;
}

/** Why proofs failed: follows the packets of those between pods and nodes, and asks nothing where none failed. */
export async function investigate(
  { topology, observations }: Facts,
  verdicts: Verdicts,
  { shells, ask, say }: Means,
): Promise<{ readonly causes: readonly Explained[]; readonly troubles: readonly string[] }> {
  const followed = flowsOf([...verdicts.values()].flat(), topology);
  if (followed.length > 0) {
    say(`following the packets of failed proofs, hop by hop, on ${String(followed.length)} ways`);
  }
  const { byNode, troubles } =
    followed.length > 0 ? await follow(followed, shells, observations.seen, ask) : { byNode: {}, troubles: [] };
  return { causes: causesOf(verdicts, topology, followed, { byNode }), troubles };
}
