import { z } from "zod";

const direction = z.enum(["there", "back"]);

/**
 * Points of a node's way at which a packet is counted: `in` as it comes in by a link, `from` as the node itself sends it, `forward`
 * and `passed` before and behind all rules for what is forwarded, `to` as the node takes it for itself, `out` as it leaves, and
 * `translated` as it leaves with another source address.
 */
const point = z.enum(["in", "from", "forward", "passed", "to", "out", "translated"]);

/** A direction of a flow: from its source, or back to it. */
export type Direction = z.output<typeof direction>;
/** A point of a node's way. */
export type Point = z.output<typeof point>;

/** One thing that a node saw while packets were sent, as its program's `way` answers it. */
const sight = z.discriminatedUnion("at", [
  z.strictObject({ at: z.literal("count"), flow: z.string(), direction, point, packets: z.number() }),
  z.strictObject({ at: z.literal("rule"), what: z.enum(["drop", "translation"]), text: z.string() }),
  z.strictObject({ at: z.enum(["rules", "queue", "kernel"]), packets: z.number(), text: z.string() }),
  z.strictObject({ at: z.literal("carrier"), link: z.string(), times: z.number() }),
  z.strictObject({ at: z.literal("service"), address: z.string(), served: z.boolean() }),
  z.strictObject({ at: z.literal("endpoint"), address: z.string(), served: z.boolean() }),
  z.strictObject({ at: z.literal("conntrack"), count: z.number(), max: z.number() }),
  z.strictObject({ at: z.literal("route"), flow: z.string(), direction, text: z.string() }),
  z.strictObject({
    at: z.literal("neighbour"),
    flow: z.string(),
    direction,
    address: z.string(),
    state: z.string(),
    lladdr: z.string(),
  }),
  z.strictObject({
    at: z.literal("link"),
    name: z.string(),
    up: z.boolean(),
    mtu: z.number(),
    lladdr: z.string(),
    addresses: z.array(z.string()),
  }),
  z.strictObject({
    at: z.literal("inside"),
    flow: z.string(),
    up: z.boolean(),
    mtu: z.number(),
    address: z.string(),
    route: z.string(),
    gateway: z.string(),
    neighbour: z.string(),
  }),
  z.strictObject({
    at: z.literal("port"),
    flow: z.string(),
    name: z.string(),
    up: z.boolean(),
    bridge: z.string(),
    isolated: z.boolean(),
    hairpin: z.boolean(),
  }),
]);

/** One thing that a node saw. */
export type Sight = z.output<typeof sight>;

/** Reads what a node's `way` answered. Throws when it is not in the shape that is promised. */
export function parseSights(lines: readonly string[]): Sight[] {
  return lines.map((line) => sight.parse(JSON.parse(line)));
}
