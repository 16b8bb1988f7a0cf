import { own } from "../../args/own";
import { grouped } from "../../args/grouped";
import { CLAIMS } from "../claims";
import type { Claim, Verdict } from "../claims/claim";
import type { Facts } from "../facts";
import type { Verdicts } from "../judge";
import { targetNodesOf } from "../reach";
import { nodeOf } from "../request";
import { type Cause, type Hop, Sights, STALE_RULES } from "./cause";
import { endpointsBehind, pairKey } from "./flows";
import type { Evidence } from "./investigate";
import { policyCause } from "./policies";
import { walk } from "./walk";

/** A cause with what failed by it. */
export interface Explained extends Cause {
  /** Number of failed proofs that it explains; the node's own difference from what podnet made is not counted. */
  readonly proofs: number;
}

/** What tells causes apart: one rule that drops is one cause, whosever packets it drops. */
function keyOf({ place, text }: Cause): string {
  return `${place} ${text}`;
}

/** What of a node, by the claim `as-made`, can be at fault at a hop. */
const PARTS: Readonly<Record<Hop, readonly string[]>> = {
  pod: ["bridge"],
  bridge: ["bridge", "settings"],
  routes: ["routes", "bridge", "settings", "forwarding"],
  rules: ["forwarding", "settings", "egress"],
  link: ["routes", "bridge"],
  service: [],
  dns: [],
  "as-made": [],
};

/**
 * Why proofs failed, each cause once, the one that explains most of them first. A cause on the packets' way goes before what merely
 * differs on a node from what podnet made; of that, what explains a hop is the hop's cause.
 */
export function causesOf(
  verdicts: Verdicts,
  facts: Facts,
  evidence: Pick<Evidence, "followed" | "byNode" | "proxies" | "endpoints" | "policies">,
): Explained[] {
  const { followed, byNode, proxies, policies } = evidence;
  const { topology } = facts;
  const differing = (verdicts.get("as-made") ?? []).filter(({ status }) => status === "failed");
  const asMade = grouped(differing, ({ source }) => source);
  const byPair = new Map<string, Cause>();
  for (const { flow } of followed) {
    const found = walk(flow, new Sights(flow.id, byNode), topology.input.nodes);
    if (found) {
      byPair.set(pairKey(flow.source, flow.target), named(found, asMade));
    }
  }
  const left: Verdict[] = [];
  const counts = new Map<string, { cause: Cause; proofs: number }>();
  const count = (cause: Cause, proofs: number): void => {
    const known = counts.get(keyOf(cause));
    counts.set(keyOf(cause), { cause: known?.cause ?? cause, proofs: (known?.proofs ?? 0) + proofs });
  };
  for (const claim of (CLAIMS as readonly Claim[]).filter(({ id }) => id !== "as-made")) {
    for (const verdict of (verdicts.get(claim.id) ?? []).filter(({ status }) => status === "failed")) {
      const found =
        asMadeCause(claim, verdict, asMade) ??
        claim.cause?.(verdict, facts) ??
        policyCause(verdict.request, policies, topology) ??
        causeOfPair(verdict, byPair) ??
        causeOfService(verdict, facts, evidence) ??
        claim.lastCause?.(verdict, facts);
      if (found) {
        count(withProxy(found, proxies), verdict.count ?? 1);
      } else {
        left.push(verdict);
      }
    }
  }
  const leftOn = countedByNode(left);
  for (const { source: place, seen: text } of differing) {
    const cause: Cause = { place, hop: "as-made", text };
    if (!counts.has(keyOf(cause))) {
      count(cause, leftOn.get(place) ?? 0);
    }
  }
  return [...counts.values()].map(({ cause, proofs }) => ({ ...cause, proofs })).sort((a, b) => b.proofs - a.proofs);
}

/** What differs from what podnet made, by node. */
type AsMade = ReadonlyMap<string, readonly Verdict[]>;

/** Numbers of verdicts by each node that they are about. */
function countedByNode(verdicts: readonly Verdict[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const verdict of verdicts) {
    for (const node of new Set(nodesOf(verdict))) {
      counts.set(node, (counts.get(node) ?? 0) + (verdict.count ?? 1));
    }
  }
  return counts;
}

/** What differs on a node from what podnet made there, where that explains a claim's failure. */
function asMadeCause({ explainedBy = [] }: Claim, verdict: Verdict, asMade: AsMade): Cause | undefined {
  if (explainedBy.length === 0 || asMade.size === 0) {
    return undefined;
  }
  const found = nodesOf(verdict)
    .flatMap((node) => asMade.get(node) ?? [])
    .find(({ target }) => explainedBy.includes(target));
  return found && { place: found.source, hop: "as-made", text: found.seen };
}

/** The cause of a failed proof between two nodes: of the same pair, or of the same pair the other way. */
function causeOfPair({ request }: Verdict, byPair: ReadonlyMap<string, Cause>): Cause | undefined {
  if (!request) {
    return undefined;
  }
  const { node } = request;
  for (const target of byPair.size === 0 ? [] : targetNodesOf(request)) {
    const found = byPair.get(pairKey(node, target)) ?? byPair.get(pairKey(target, node));
    if (found) {
      return found;
    }
  }
  return undefined;
}

/**
 * The cause of a failed proof of a ClusterIP: on the node that asks, where kube-proxy is to make rules for it, there are none, or they
 * lead to none of some endpoints.
 */
function causeOfService(
  { request }: Verdict,
  { topology }: Facts,
  { byNode, proxies, endpoints }: Pick<Evidence, "byNode" | "proxies" | "endpoints">,
): Cause | undefined {
  if (proxies === undefined || request === undefined || !("address" in request.ask)) {
    return undefined;
  }
  const { node, ask } = request;
  const sights = new Sights("", byNode);
  const here = { place: node, hop: "service", example: `to ${ask.address}` } as const;
  if (sights.serves(node, ask.address) === false) {
    return { ...here, text: NO_RULES };
  }
  const wanted = endpointsBehind(ask.address, topology).filter((one) => endpoints.includes(one));
  return sights.unserved(node, wanted).length > 0 ? { ...here, text: STALE_RULES } : undefined;
}

const NO_RULES = "it has no rules for ClusterIPs, which kube-proxy makes";

/** A cause in a node's rules for ClusterIPs, with what is known of the kube-proxy there. */
function withProxy(cause: Cause, proxies: Evidence["proxies"]): Cause {
  if (proxies === undefined || (cause.text !== NO_RULES && cause.text !== STALE_RULES)) {
    return cause;
  }
  const why = own(proxies, cause.place);
  return { ...cause, text: `${cause.text}${why === undefined ? ", though kube-proxy runs there" : `: ${why}`}` };
}

/** The nodes that a proof is about. */
function nodesOf({ source, request }: Verdict): string[] {
  return [nodeOf(source), ...(request?.targetNode === undefined ? [] : [request.targetNode])];
}

/** A cause in the words of what podnet made, where that explains it. */
function named(cause: Cause, asMade: AsMade): Cause {
  const differing = (asMade.get(cause.place) ?? []).filter(({ target }) => PARTS[cause.hop].includes(target));
  const [first] = PARTS[cause.hop].flatMap((part) => differing.filter(({ target }) => target === part));
  return first ? { place: cause.place, hop: cause.hop, text: first.seen } : cause;
}
