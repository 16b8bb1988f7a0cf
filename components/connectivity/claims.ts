/** What the check proves, in the order of the report: each claim's id and what it says. */
export const CLAIMS = {
  localhost: "containers of a pod share localhost",
  "pod-to-pod": "every pod reaches every pod, on its node and across nodes",
  "node-to-pod": "every node reaches every pod",
  "pod-to-node": "every pod reaches every node",
  "no-nat": "whoever answers sees the sender's own address",
  "pod-ip": "the address a pod knows is the one it has and others see",
  mtu: "a packet that fills the MTU passes between nodes, one byte more does not",
  service: "a ClusterIP answers from every ready endpoint and nothing else",
  hairpin: "a service's only pod reaches itself through the ClusterIP",
  endpoints: "endpoints follow the selector",
  dns: "a service's name resolves to its ClusterIP",
  "network-policy": "a NetworkPolicy lets pass what it allows and nothing else",
} as const;

/** Id of a claim. */
export type Claim = keyof typeof CLAIMS;

/** All claims in the order of the report. */
export const CLAIM_IDS = Object.keys(CLAIMS) as Claim[];

/** A transport that a claim is proven with. */
export type Protocol = "TCP" | "UDP" | "ICMP";

/**
 * How one instance of a claim ended. `blocked` means that it could not be judged, because what it builds on is broken: the
 * finding names that, so that one fault shows as one fault. `not-applicable` means that the network does not make the claim;
 * the finding says why.
 */
export type Status = "passed" | "failed" | "blocked" | "not-applicable";

/** One instance of a claim and how it ended. */
export interface Finding {
  readonly claim: Claim;
  /** Who asked: `node/probe` for a pod, `node` for a node. */
  readonly source: string;
  /** Who was asked: like `source`, or a service's name. */
  readonly target: string;
  readonly protocol?: Protocol;
  readonly status: Status;
  readonly expected: string;
  /** What was seen instead, or the reason of a block. */
  readonly seen: string;
}
