import type { Shell } from "../machine/shell";
import { askNode } from "../node/ask";
import { type NodeStatus, parseNodeStatus } from "../node/status";

/** Seconds that a node may take to tell its status. */
const SECONDS = 40;

/** Bytes up to which a file is read: configuration is, the releases' binaries are not. */
const READ_UP_TO = 1_000_000;

/** What podnet has on every node, beside what is there of it. */
export async function statusesOf(shells: ReadonlyMap<string, Shell>): Promise<Record<string, NodeStatus>> {
  const known = new Map<string, string>();
  const told = [...shells].map(async ([name, shell]) => {
    const lines = await askNode(shell, "status", { "read-up-to": READ_UP_TO }, SECONDS);
    const status = parseNodeStatus(lines);
    const { wanted, now, taken } = status.routes;
    const routes = { wanted: shared(known, wanted), now: shared(known, now), taken: shared(known, taken) };
    return [name, { ...status, routes }] as const;
  });
  return Object.fromEntries(await Promise.all(told));
}

/** Texts, each of which is kept once: a thousand nodes have the same thousand routes. */
function shared(known: Map<string, string>, texts: readonly string[]): string[] {
  return texts.map((text) => {
    const first = known.get(text);
    if (first === undefined) {
      known.set(text, text);
    }
    return first ?? text;
  });
}
