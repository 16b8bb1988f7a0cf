import type { Shell } from "../machine/shell";
import { askNode } from "../node/ask";
import { type NodeStatus, parseNodeStatus } from "../node/status";

/** Seconds that a node may take to tell its status. */
const SECONDS = 40;

/** Bytes up to which a file is read: configuration is, the releases' binaries are not. */
const READ_UP_TO = 1_000_000;

/** What podnet has on every node, beside what is there of it. */
export async function statusesOf(shells: ReadonlyMap<string, Shell>): Promise<Record<string, NodeStatus>> {
  const told = [...shells].map(async ([name, shell]) => {
    const lines = await askNode(shell, "status", { "read-up-to": READ_UP_TO }, SECONDS);
    return [name, parseNodeStatus(lines)] as const;
  });
  return Object.fromEntries(await Promise.all(told));
}
