import { z } from "zod";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
/** Something that podnet made, as it is now. */
const now = z.enum(["as-made", "changed", "missing"]);
const work = z.string().regex(/^[0-9a-f]{8,64}$/);
const cidr = z.string().regex(/^[0-9.]+\/[0-9]+$/);
const route = z.string().regex(/^[0-9.]+\/[0-9]+ via [0-9.]+$/);

/**
 * What `podnet status` tells of a node, as it is now: what podnet has made there, beside what is there of it. A machine that
 * nobody has taken has no owner, and nothing else of podnet's.
 */
export const nodeStatus = z.strictObject({
  /** Whose node the machine is. */
  owner: z.strictObject({ id: z.string(), node: z.string(), cluster: z.string() }).nullable(),
  /** Hash of the program that answered. */
  program: z.string().regex(/^[0-9a-f]{16}$/),
  /**
   * The work that stands, by phase: the nonce of its parameters, and how often it was applied without being undone; 0 where
   * whoever asked for it was gone before the answer.
   */
  works: z.record(z.string(), z.strictObject({ work, applied: z.number().int().min(0) })),
  /** The releases that are installed: SHA-256 of the file that each came from, by its name. */
  installed: z.record(z.string(), sha256),
  /** Every file that podnet made: the content that it gave it, and whether it still has it; `unread` if larger than was asked for. */
  files: z.array(z.strictObject({ path: z.string(), sha256, now: z.enum([...now.options, "unread"]) })),
  /** Units that podnet enabled. */
  units: z.array(z.strictObject({ name: z.string(), active: z.string(), enabled: z.string() })),
  /** Kernel settings that a pod network needs; `before` is what podnet found, where it changed it. */
  sysctls: z.array(
    z.strictObject({ key: z.string(), wanted: z.string(), now: z.string(), before: z.string().nullable() }),
  ),
  /** Settings of the machine's own that win over podnet's, now or at the next boot, each with its remedy. */
  overruled: z.array(z.string()),
  /** The network on this node, with the parameters that it was applied with last, as `name: value` in the order of the names. */
  network: z
    .strictObject({ id: z.string(), kind: z.string(), podCidr: cidr, parameters: z.array(z.string()) })
    .nullable(),
  /** Configurations of the container runtime's networks, in the order in which it reads them: new pods get the first. */
  conflists: z.array(z.string()),
  /**
   * Routes to the other nodes' pods, as `CIDR via NEXT-HOP`, and the ways that packets take to the first and the last address of each:
   * `ADDRESS via NEXT-HOP`, `ADDRESS by LINK`, or the address and why there is none.
   */
  routes: z.strictObject({
    wanted: z.array(route),
    now: z.array(route),
    taken: z.array(z.string().regex(/^[0-9.]+ .+$/)).default([]),
  }),
  /** The bridge of the pods, where podnet's own network has it on this node. */
  bridge: z
    .strictObject({
      name: z.string(),
      up: z.boolean(),
      addresses: z.array(z.string()),
      ports: z.array(
        z.strictObject({ name: z.string(), up: z.boolean(), hairpin: z.boolean(), isolated: z.boolean() }),
      ),
    })
    .nullable()
    .default(null),
  /** Whether podnet masquerades what leaves the cluster here, and whether the rules for it are as it made them. */
  egress: z.strictObject({ wanted: z.boolean(), now }),
  /** Whether the host drops what it forwards, and whether podnet's accepts for the pods stand in that chain. */
  forward: z.strictObject({ drops: z.boolean(), accepted: z.boolean() }),
  /**
   * What podnet's unit mended, because somebody had taken it away or changed it: the last twenty, the newest last. A node whose
   * program is older tells of none.
   */
  mended: z.array(z.strictObject({ secondsAgo: z.number().int().min(0), what: z.string() })).default([]),
  /** Links of the node, without those of single pods. */
  links: z.array(z.strictObject({ name: z.string(), mtu: z.number().int().positive() })),
});

/** A node's status, read. */
export type NodeStatus = z.output<typeof nodeStatus>;

/** Reads the answer of `podnet status`. Throws when it is not in the shape that is promised. */
export function parseNodeStatus(lines: readonly string[]): NodeStatus {
  return nodeStatus.parse(JSON.parse(lines.join("")));
}
