import type { Direction, Point, Sight } from "./seen";

/**
 * Where on a packet's way something is wrong, in the order of the way; `service` and `dns` are a Service and the cluster's DNS, and
 * `as-made` is a node's difference from what podnet made, to which no packet was followed.
 */
export type Hop = "pod" | "bridge" | "routes" | "rules" | "link" | "service" | "dns" | "as-made";

/** Why proofs failed: the first thing on the packets' way that is not as it should be. */
export interface Cause {
  /** The node that it is on, or the Service or pod that it is about. */
  readonly place: string;
  readonly hop: Hop;
  /** What is wrong, as a sentence's part that follows the place. */
  readonly text: string;
  /** Whose packets showed it, and how many, where it is not about all alike. */
  readonly example?: string;
}

/** What is wrong on a node whose kube-proxy, or what is there in its place, does not write what the API tells. */
export const STALE_RULES = "its rules for ClusterIPs do not follow the endpoints of Services";

/** A pair of addresses whose packets are followed, since a proof between them failed. */
export interface Flow {
  readonly id: string;
  /** The node that the packets leave, and the one that they are for. */
  readonly source: string;
  readonly target: string;
  /** The two addresses. */
  readonly from: string;
  readonly to: string;
  /** The probe on the pod network that has an address; undefined for a node's own, and for another pod's. */
  readonly fromProbe?: string | undefined;
  readonly toProbe?: string | undefined;
  /** Whether the target is a pod; else it is a node. */
  readonly toPod: boolean;
  /** Bytes of its packets, where the proof was about their size. */
  readonly size?: number | undefined;
}

/** What the nodes on a flow's way saw of it. */
export class Sights {
  constructor(
    private readonly flow: string,
    private readonly byNode: Readonly<Record<string, readonly Sight[]>>,
  ) {}

  /** Packets of the flow at a point of a node; 0 where the node saw none. */
  packets(node: string, direction: Direction, point: Point): number {
    const found = this.#all(node, "count").find(
      (one) => one.flow === this.flow && one.direction === direction && one.point === point,
    );
    return found?.packets ?? 0;
  }

  /** What the node says of the way that its routes send the flow. */
  route(node: string, direction: Direction): string {
    return this.#all(node, "route").find((one) => one.flow === this.flow && one.direction === direction)?.text ?? "";
  }

  /** The next hop of the flow as the node knows it. */
  neighbour(node: string, direction: Direction) {
    return this.#all(node, "neighbour").find((one) => one.flow === this.flow && one.direction === direction);
  }

  /** The interface of the probe at this end, from inside. */
  inside(node: string) {
    return this.#all(node, "inside").find((one) => one.flow === this.flow);
  }

  /** The node's end of that interface. */
  port(node: string) {
    return this.#all(node, "port").find((one) => one.flow === this.flow);
  }

  /** The node's links. */
  links(node: string) {
    return this.#all(node, "link");
  }

  /** What dropped packets on the node meanwhile: rules, and what the kernel counts. */
  drops(node: string): string[] {
    const rules = this.#all(node, "rule").flatMap(({ what, text }) => (what === "drop" ? [ruleText(text)] : []));
    return [...rules, ...this.#grown(node, "rules")];
  }

  /** The rules that gave packets another source address. */
  translations(node: string): string[] {
    return this.#all(node, "rule").flatMap(({ what, text }) => (what === "translation" ? [ruleText(text)] : []));
  }

  /** Queues of a link that dropped packets. */
  queues(node: string, device: string): string[] {
    return this.#grown(node, "queue").filter((text) => text.startsWith(`${device} `));
  }

  /** Times that a link lost its carrier meanwhile. */
  carrierLosses(node: string, device: string): number {
    return this.#all(node, "carrier").find(({ link }) => link === device)?.times ?? 0;
  }

  /** Whether a counter of the kernel grew. */
  counted(node: string, name: string): boolean {
    return this.#grown(node, "kernel").includes(name);
  }

  /** The table of connections, where it is as good as full. */
  fullConntrack(node: string): string | undefined {
    const [table] = this.#all(node, "conntrack");
    return table && table.max > 0 && (table.count >= table.max * 0.95 || this.counted(node, "conntrack_drop"))
      ? `its table of connections is full: ${String(table.count)} of nf_conntrack_max ${String(table.max)}`
      : undefined;
  }

  /** Whether the node has rules for a ClusterIP; undefined where it was not asked. */
  serves(node: string, address: string): boolean | undefined {
    return this.#all(node, "service").find((one) => one.address === address)?.served;
  }

  /** Those endpoints of a ClusterIP to which no rule of the node sends anything. */
  unserved(node: string, endpoints: readonly string[]): string[] {
    const lacking = this.#all(node, "endpoint").filter(({ served }) => !served);
    return endpoints.filter((address) => lacking.some((one) => one.address === address));
  }

  #all<At extends Sight["at"]>(node: string, at: At): Extract<Sight, { at: At }>[] {
    return (this.byNode[node] ?? []).filter((one): one is Extract<Sight, { at: At }> => one.at === at);
  }

  #grown(node: string, at: "rules" | "queue" | "kernel"): string[] {
    return (this.byNode[node] ?? []).flatMap((one) => (one.at === at && "packets" in one ? [one.text] : []));
  }
}

/** A rule of a trace, `FAMILY TABLE CHAIN: RULE`, for a reader. */
function ruleText(text: string): string {
  const [, chain = "", rule = ""] = /^([^:]*): (.*)$/.exec(text) ?? [];
  return chain === ""
    ? text
    : rule === "its policy, drop"
      ? `the policy drop of nft's chain ${chain}`
      : `the rule \`${rule}\` in nft's chain ${chain}`;
}
