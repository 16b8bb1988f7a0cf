import { setTimeout as sleep } from "node:timers/promises";
import { own } from "../../args/own";
import { messageOf } from "../../args/validate";
import type { Shell } from "../../machine/shell";
import { askNode } from "../../node/ask";
import type { AskOnce } from "../asking";
import type { SeenProbe } from "../driver";
import type { Followed } from "./flows";
import { parseSights, type Sight } from "./seen";

/** Seconds for which the nodes count packets. All are asked at once, and each begins a moment after it was asked. */
const COUNTING = 6;

/** Milliseconds between two rounds of the requests. */
const PAUSE_MS = 100;

/** Seconds that a node may take to tell what it saw. */
const SECONDS = 45;

/** What the nodes saw of flows, and what could not be asked. */
export interface FollowedSights {
  readonly byNode: Readonly<Record<string, readonly Sight[]>>;
  readonly troubles: readonly string[];
}

/** What is looked into: flows, and the ClusterIPs that nodes asked for in vain, by node. */
export interface Questions {
  readonly followed: readonly Followed[];
  readonly services: ReadonlyMap<string, readonly string[]>;
  /** Addresses of the pods to which a ClusterIP has to lead. */
  readonly endpointsBehind: (address: string) => readonly string[];
}

/** Makes the flows' requests again and again while the nodes at their ends watch, and returns what these saw. */
export async function follow(
  questions: Questions,
  shells: ReadonlyMap<string, Shell>,
  seen: Readonly<Record<string, readonly SeenProbe[]>>,
  ask: AskOnce,
): Promise<FollowedSights> {
  const { followed, services } = questions;
  const nodes = [...new Set([...followed.flatMap(({ flow }) => [flow.source, flow.target]), ...services.keys()])];
  const byNode: Record<string, Sight[]> = {};
  const troubles: string[] = [];
  const watching = { now: true };
  const watched = Promise.all(
    nodes.map(async (node) => {
      const shell = shells.get(node);
      if (!shell) {
        return;
      }
      try {
        byNode[node] = parseSights(await askNode(shell, "way", parametersOf(node, questions, seen), SECONDS));
      } catch (error) {
        troubles.push(`no packet can be followed on ${node}: ${messageOf(error)}`);
      }
    }),
  ).finally(() => (watching.now = false));
  while (watching.now && followed.length > 0) {
    await ask(followed.map(({ request }) => request));
    await sleep(PAUSE_MS);
  }
  await watched;
  return { byNode, troubles };
}

function parametersOf(
  node: string,
  { followed, services, endpointsBehind }: Questions,
  seen: Readonly<Record<string, readonly SeenProbe[]>>,
) {
  const flows = followed.map(({ flow }) => flow).filter(({ source, target }) => source === node || target === node);
  const ends = flows.flatMap(({ id, source, target, from, to, fromProbe, toProbe }) => [
    ...(source === node && fromProbe !== undefined ? [`${id} ${fromProbe} ${from} ${to}`] : []),
    // Of a flow within a node the sender's end is looked at: the other is the same bridge's.
    ...(target === node && source !== node && toProbe !== undefined ? [`${id} ${toProbe} ${to} ${from}`] : []),
  ]);
  const addresses = services.get(node) ?? [];
  return {
    seconds: flows.length > 0 ? COUNTING : 1,
    flow: flows.map(({ id, from, to }) => `${id} ${from} ${to}`),
    end: ends,
    "cluster-ip": addresses,
    "service-endpoint": [...new Set(addresses.flatMap(endpointsBehind))],
    pid: (own(seen, node) ?? []).map(({ probe, pid }) => `${probe} ${String(pid)}`),
  };
}
