import { createHash, randomInt } from "node:crypto";
import type { CheckInput } from "./input";

/** How much of what there is between nodes a run asks: all of it, or a sample that still proves each route. */
export type CoverageKind = "full" | "sampled";

/** Nodes up to which a run asks everything by default. */
const FULL_UP_TO = 30;

/** Other nodes of which each node asks everything in a sample; as many ask it. */
export const PEERS = 8;

/** Pods behind the check's own Service in a sample: so few that each node can hear each of them. */
const MEMBERS = 10;

/** What a run's coverage is, for the report. */
export interface CoverageText {
  readonly kind: CoverageKind;
  /** What drew the sample: the same nodes and the same seed give the same requests. */
  readonly seed?: number;
  /** Other nodes of which each node asks everything. */
  readonly peers?: number;
  /** What is asked, and what is not, a sentence each. */
  readonly asked: readonly string[];
  readonly notAsked: readonly string[];
}

/**
 * What a run asks between nodes. In a sample the nodes stand in a ring whose order the seed draws. Each asks everything of itself and of
 * the few next to it, its peers, and of every other node one thing: whether its pods are reached. Requests are then `n (n - 1)`
 * small ones and a number for each node that does not grow.
 */
export class Coverage {
  readonly #places: ReadonlyMap<string, number>;
  readonly #ring: readonly string[];
  readonly #peers: number;

  constructor(
    /** The nodes, in their order. */
    readonly nodes: readonly string[],
    readonly kind: CoverageKind,
    /** What draws a sample. */
    readonly seed: number,
  ) {
    this.#ring = kind === "full" ? nodes : drawn(nodes, seed);
    this.#places = new Map(this.#ring.map((node, place) => [node, place]));
    this.#peers = kind === "full" ? nodes.length : PEERS;
  }

  /** Whether a node asks everything of another one, or of itself. */
  asks(node: string, target: string): boolean {
    return this.#away(node, target) <= this.#peers;
  }

  /** The nodes of which a node asks everything, itself among them. */
  peersOf(node: string): readonly string[] {
    return this.#peers >= this.nodes.length - 1
      ? this.nodes
      : Array.from({ length: this.#peers + 1 }, (_, away) => this.#next(node, away));
  }

  /**
   * The other nodes, of which a node asks only whether their pods are reached. They come in the ring's order, each node's own next
   * first, so that no node is asked by all others at once.
   */
  othersOf(node: string): readonly string[] {
    const others = Math.max(0, this.nodes.length - 1 - this.#peers);
    return Array.from({ length: others }, (_, index) => this.#next(node, this.#peers + 1 + index));
  }

  /** The nodes whose pods are behind the check's own Service. The seed does not choose them: two runs at once have the same. */
  members(): readonly string[] {
    const { nodes } = this;
    return this.kind === "full" || nodes.length <= MEMBERS
      ? nodes
      : Array.from({ length: MEMBERS }, (_, index) => nodes[Math.floor((index * nodes.length) / MEMBERS)] ?? "");
  }

  /** Which of many things a node asks: all, or in a sample a few, so that all nodes together ask each of them. */
  fewOf<T>(node: string, all: readonly T[]): readonly T[] {
    const count = Math.max(PEERS, Math.ceil(all.length / this.nodes.length));
    const first = (this.#places.get(node) ?? 0) * count;
    return this.kind === "full" || all.length <= count
      ? all
      : Array.from({ length: count }, (_, index) => all[(first + index) % all.length]).filter(
          (one) => one !== undefined,
        );
  }

  /** What a report says of it. */
  text(): CoverageText {
    const { kind, seed, nodes } = this;
    const left = nodes.length - 1 - this.#peers;
    if (kind === "full" || left <= 0) {
      return {
        kind,
        ...(kind === "sampled" && { seed, peers: Math.max(0, nodes.length - 1) }),
        asked: [ALL],
        notAsked: [],
      };
    }
    const pairs = String(nodes.length * left);
    const peers = `${String(this.#peers)} others`;
    return {
      kind,
      seed,
      peers: this.#peers,
      asked: [
        `every node's pods reach every other node's pods, each ordered pair by one TCP request from a pod to a pod`,
        `everything on each node, and from each node to ${peers} that the seed draws; as many ask it`,
        `the check's own Service, in front of the pods of ${String(this.members().length)} nodes, from every node`,
      ],
      notAsked: [
        `between the other ${pairs} ordered pairs of nodes: UDP, node to pod and pod to node, the MTU, fragments, loss, every further pair of pods`,
        `a Service's nodePort and a headless Service's pods from every node: each node asks those of itself and of its ${peers}`,
        `each server of the cluster's DNS from every node, where there are more than ${String(PEERS)}`,
        `NetworkPolicies but on each node and to its ${peers}`,
      ],
    };
  }

  /** Steps along the ring from a node to another; endless where one of them is not in it. */
  #away(node: string, target: string): number {
    const [from = Infinity, to = Infinity] = [this.#places.get(node), this.#places.get(target)];
    const { length } = this.#ring;
    return Number.isFinite(to - from) ? (to - from + length) % length : Infinity;
  }

  #next(node: string, away: number): string {
    return this.#ring[((this.#places.get(node) ?? 0) + away) % this.#ring.length] ?? node;
  }
}

/** What is said of a run that asks everything. */
const ALL = "everything: every pair of pods, of a pod and a node, and of nodes";

/** A run's coverage, as it was asked for or by the number of nodes; a seed that is not given is drawn. */
export function coverageOf({ nodes, coverage, seed }: Pick<CheckInput, "nodes" | "coverage" | "seed">): Coverage {
  const names = Object.keys(nodes);
  const kind = coverage ?? (names.length <= FULL_UP_TO ? "full" : "sampled");
  return new Coverage(names, kind, seed ?? randomInt(2 ** 31));
}

/** Names in an order that a seed draws. A name keeps its place among the others when more come. */
function drawn(names: readonly string[], seed: number): string[] {
  const keys = new Map(
    names.map((name) => [
      name,
      createHash("sha256")
        .update(`${String(seed)} ${name}`)
        .digest("hex"),
    ]),
  );
  const keyOf = (name: string): string => keys.get(name) ?? "";
  return [...names].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}
