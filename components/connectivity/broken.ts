import type { JudgedBy, Verdict } from "./claims/claim";
import type { Probe } from "./probes";
import { type Request, TRANSPORTS } from "./request";

/** Claims on the ways that everything else is carried by. */
const WAYS = ["pod-to-pod", "node-to-pod", "pod-to-node"] as const;

/** A claim on a way between pods and nodes. */
export type Way = (typeof WAYS)[number];

/** The ways between nodes that are broken, for the claims that build on them. */
export class BrokenWays {
  readonly #byKey = new Map<string, Request>();
  readonly #firstOf = new Map<string, Request>();
  readonly #nodes: readonly string[];

  /** Reads them from the verdicts of the claims on ways, or of those among them that the caller waits on. */
  constructor({ topology, verdictsOf }: JudgedBy, ways: readonly Way[] = WAYS) {
    this.#nodes = topology.nodes;
    for (const { status, request } of ways.flatMap(verdictsOf)) {
      if (status === "failed" && request) {
        this.#byKey.set(key(request.claim, request.node, request.targetNode, request.ask.protocol), request);
      }
    }
    for (const request of this.#byKey.values()) {
      const from = `${request.claim} ${request.node}`;
      this.#firstOf.set(from, this.#firstOf.get(from) ?? request);
    }
  }

  /** The broken request of a way from one node to another. */
  between(way: Way, node: string, targetNode: string, protocol: string): Request | undefined {
    return this.#byKey.get(key(way, node, targetNode, protocol));
  }

  /** The first broken request of a way from a node. */
  from(way: Way, node: string): Request | undefined {
    return this.#firstOf.get(`${way} ${node}`);
  }

  /**
   * A broken request of a node whose pods reach no other node's. A pod's way to a ClusterIP begins like its way to another
   * node, at its gateway, so nothing can be said of Services from there.
   */
  isolated(node: string, protocol: string): Request | undefined {
    const others = this.#nodes.filter((other) => other !== node);
    const pairs = others.map((other) => this.between("pod-to-pod", node, other, protocol));
    return pairs.every((pair) => pair !== undefined) ? pairs[0] : undefined;
  }
}

/** The reason of a block: the request that failed. */
export function blockedBy({ claim, source, target, ask }: Request): string {
  return `${claim} from ${source} to ${target} over ${ask.protocol} failed`;
}

function key(way: string, node: string, targetNode: string | undefined, protocol: string): string {
  return `${way} ${node} ${targetNode ?? ""} ${protocol}`;
}

/** What is wrong with the check's own Service when a node's probe asks it, by TCP first, out of the verdicts on it. */
export function serviceTrouble(
  verdicts: readonly Verdict[],
  node: string,
  probe: Probe,
  protocols: readonly string[] = TRANSPORTS,
): Verdict | undefined {
  return protocols
    .map((protocol) =>
      verdicts.find(
        ({ status, request }) =>
          status !== "passed" &&
          request?.service === undefined &&
          request?.node === node &&
          request.probe === probe &&
          request.ask.protocol === protocol,
      ),
    )
    .find((found) => found !== undefined);
}
