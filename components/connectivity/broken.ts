import type { JudgedBy, Verdict } from "./claims/claim";
import type { Probe } from "./probes";
import { targetNodesOf } from "./reach";
import { type Request, TRANSPORTS } from "./request";

/** Claims on the ways that everything else is carried by. */
const WAYS = ["pod-to-pod", "node-to-pod", "pod-to-node"] as const;

/** A claim on a way between pods and nodes. */
export type Way = (typeof WAYS)[number];

/** The broken requests of a way: of each pair of nodes the last, by protocol, source and target. */
class Broken {
  readonly #byProtocol = new Map<string, Map<string, Map<string, Request>>>();

  constructor(verdicts: readonly Verdict[]) {
    for (const { status, request } of verdicts) {
      if (status === "failed" && request) {
        const bySource = within(this.#byProtocol, request.ask.protocol, () => new Map<string, Map<string, Request>>());
        const byTarget = within(bySource, request.node, () => new Map<string, Request>());
        targetNodesOf(request).forEach((node) => byTarget.set(node, request));
      }
    }
  }

  between(node: string, targetNode: string, protocol: string): Request | undefined {
    return this.#byProtocol.get(protocol)?.get(node)?.get(targetNode);
  }

  from(node: string): Request | undefined {
    for (const protocol of TRANSPORTS) {
      for (const request of this.#byProtocol.get(protocol)?.get(node)?.values() ?? []) {
        return request;
      }
    }
    return undefined;
  }
}

/** What is under a key, made where nothing is. */
function within<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key) ?? make();
  map.set(key, known);
  return known;
}

/** What is read out of a claim's verdicts is read once: they are many on many nodes, and several claims build on them. */
function once<T>(read: (verdicts: readonly Verdict[]) => T): (verdicts: readonly Verdict[]) => T {
  const known = new WeakMap<readonly Verdict[], { readonly value: T }>();
  return (verdicts) => {
    const value = known.get(verdicts)?.value ?? read(verdicts);
    known.set(verdicts, { value });
    return value;
  };
}

const brokenIn = once((verdicts) => new Broken(verdicts));

/** The ways between nodes that are broken, for the claims that build on them. */
export class BrokenWays {
  readonly #byWay: ReadonlyMap<Way, Broken>;
  readonly #topology: JudgedBy["topology"];

  /** Reads them from the verdicts of the claims on ways, or of those among them that the caller waits on. */
  constructor({ topology, verdictsOf }: JudgedBy, ways: readonly Way[] = WAYS) {
    this.#topology = topology;
    this.#byWay = new Map(ways.map((way) => [way, brokenIn(verdictsOf(way))]));
  }

  /** The broken request of a way from one node to another. */
  between(way: Way, node: string, targetNode: string, protocol: string): Request | undefined {
    return this.#byWay.get(way)?.between(node, targetNode, protocol);
  }

  /** The first broken request of a way from a node. */
  from(way: Way, node: string): Request | undefined {
    return this.#byWay.get(way)?.from(node);
  }

  /**
   * A broken request of a node whose pods reach no other node's. A pod's way to a ClusterIP begins like its way to another
   * node, at its gateway, so nothing can be said of Services from there.
   */
  isolated(node: string, protocol: string): Request | undefined {
    const { nodes, coverage } = this.#topology;
    // In a sample by UDP only some are asked, and by TCP all.
    const asked = protocol === "TCP" ? nodes : coverage.peersOf(node);
    let first: Request | undefined;
    for (const other of asked) {
      const pair = other === node ? undefined : this.between("pod-to-pod", node, other, protocol);
      if (other !== node && pair === undefined) {
        return undefined;
      }
      first ??= pair;
    }
    return first;
  }
}

/** The reason of a block: the request that failed. */
export function blockedBy({ claim, source, target, ask }: Request): string {
  return `${claim} from ${source} to ${target} over ${ask.protocol} failed`;
}

/** The verdicts on the check's own Service that did not pass, the first of each probe of a node by each protocol. */
const serviceTroubles = once((verdicts) => {
  const found = new Map<string, Verdict>();
  for (const verdict of verdicts) {
    const { status, request } = verdict;
    if (status !== "passed" && request && request.service === undefined) {
      within(found, `${request.node} ${request.probe} ${request.ask.protocol}`, () => verdict);
    }
  }
  return found;
});

/** What is wrong with the check's own Service when a node's probe asks it, by TCP first, out of the verdicts on it. */
export function serviceTrouble(
  verdicts: readonly Verdict[],
  node: string,
  probe: Probe,
  protocols: readonly string[] = TRANSPORTS,
): Verdict | undefined {
  const troubles = serviceTroubles(verdicts);
  return protocols.map((protocol) => troubles.get(`${node} ${probe} ${protocol}`)).find((found) => found !== undefined);
}
