import { own } from "../../args/own";
import { CLAIMS } from "../claims";
import type { Claim, Verdict } from "../claims/claim";
import type { Facts } from "../facts";
import type { Verdicts } from "../judge";
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
  const asMade = (verdicts.get("as-made") ?? []).filter(({ status }) => status === "failed");
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
        count(withProxy(found, proxies), 1);
      } else {
        left.push(verdict);
      }
    }
  }
  for (const verdict of asMade) {
    const text = verdict.seen;
    if (![...counts.values()].some(({ cause }) => cause.place === verdict.source && cause.text === text)) {
      const own = left.filter((other) => nodesOf(other).includes(verdict.source));
      count({ place: verdict.source, hop: "as-made", text }, own.length);
    }
  }
  return [...counts.values()].map(({ cause, proofs }) => ({ ...cause, proofs })).sort((a, b) => b.proofs - a.proofs);
}

/** What differs on a node from what podnet made there, where that explains a claim's failure. */
function asMadeCause({ explainedBy = [] }: Claim, verdict: Verdict, asMade: readonly Verdict[]): Cause | undefined {
  const found = asMade.find(({ source, target }) => explainedBy.includes(target) && nodesOf(verdict).includes(source));
  return found && { place: found.source, hop: "as-made", text: found.seen };
}

/** The cause of a failed proof between two nodes: of the same pair, or of the same pair the other way. */
function causeOfPair({ request }: Verdict, byPair: ReadonlyMap<string, Cause>): Cause | undefined {
  if (request?.targetNode === undefined) {
    return undefined;
  }
  const { node, targetNode } = request;
  return byPair.get(pairKey(node, targetNode)) ?? byPair.get(pairKey(targetNode, node));
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
function named(cause: Cause, asMade: readonly Verdict[]): Cause {
  const differing = asMade.filter(({ source, target }) => source === cause.place && PARTS[cause.hop].includes(target));
  const [first] = PARTS[cause.hop].flatMap((part) => differing.filter(({ target }) => target === part));
  return first ? { place: cause.place, hop: cause.hop, text: first.seen } : cause;
}
