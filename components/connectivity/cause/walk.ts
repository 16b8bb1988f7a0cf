import type { Cause, Flow, Sights } from "./cause";
import { cutOff, type End, unanswered } from "./ends";
import {
  carrierTrouble,
  type Declared,
  dropped,
  lostBetween,
  mtuTrouble,
  refused,
  translated,
  unrouted,
  unsent,
} from "./reasons";
import type { Direction, Point } from "./seen";

/** One station of a packet's way: whether it came there, and what is wrong where it did not. */
interface Station {
  readonly node: string;
  readonly direction: Direction;
  /** The points of which the packet has to be seen at one. */
  readonly points: readonly Point[];
  /** Why it is not seen here though it was at the station before. */
  readonly missing: () => Cause | undefined;
}

/**
 * Follows a packet from its source to its target and its answer back, station by station, and returns what keeps it from the first
 * that it does not reach; undefined where it goes all the way.
 */
export function walk(flow: Flow, sights: Sights, nodes: Readonly<Record<string, Declared>>): Cause | undefined {
  const source: End = {
    node: flow.source,
    address: flow.from,
    probe: flow.fromProbe,
    pod: flow.fromProbe !== undefined,
  };
  const target: End = { node: flow.target, address: flow.to, probe: flow.toProbe, pod: flow.toPod };
  const small = flow.size === undefined ? undefined : mtuTrouble(flow.size, source, target, sights, nodes);
  if (small) {
    return small;
  }
  const stations = [
    ...way("there", source, target, sights, nodes),
    ...answered(source, target, sights),
    ...way("back", target, source, sights, nodes),
  ];
  const packets = ({ node, direction, points }: Station): number =>
    Math.max(...points.map((point) => sights.packets(node, direction, point)));
  // Fragments are more packets at one point than at another.
  const first = stations.find((station) => packets(station) === 0);
  const some = (): Cause | undefined =>
    flow.size === undefined ? (carrierTrouble(source, target, sights) ?? lossOn(stations, packets)) : undefined;
  return first
    ? first.missing()
    : (some() ?? translated("there", source, target, sights) ?? fullTable([flow.source, flow.target], sights));
}

/** A table of connections that is full, and had room for these packets by chance. */
function fullTable(nodes: readonly string[], sights: Sights): Cause | undefined {
  return nodes
    .map((node) => ({ node, text: sights.fullConntrack(node) }))
    .flatMap(({ node, text }): Cause[] => (text === undefined ? [] : [{ place: node, hop: "rules", text }]))[0];
}

/** Packets that a station may have fewer than the one before by the moment at which each began to count. */
const SLACK = 2;

/** The first station that has much fewer packets than the one before it on the same node, where none lacks all. */
function lossOn(stations: readonly Station[], packets: (station: Station) => number): Cause | undefined {
  for (const [index, station] of stations.entries()) {
    const before = stations[index - 1];
    if (before?.node === station.node && before.direction === station.direction) {
      const [had, has] = [packets(before), packets(station)];
      if (had - has > SLACK) {
        const found = station.missing();
        const share = `${String(had - has)} of ${String(had)} packets`;
        const example = found?.example === undefined ? share : `${found.example}, ${share}`;
        return found && { ...found, example };
      }
    }
  }
  return undefined;
}

/** The stations of one direction. */
function way(
  direction: Direction,
  from: End,
  to: End,
  sights: Sights,
  nodes: Readonly<Record<string, Declared>>,
): Station[] {
  const here = departure(direction, from, to, sights);
  if (from.node === to.node) {
    return [...here, ...arrival(direction, from, to, sights).slice(-1)];
  }
  const link: Station = {
    node: to.node,
    direction,
    points: ["in"],
    missing: () => lostBetween(direction, from, to, sights, nodes),
  };
  return [...here, link, ...arrival(direction, from, to, sights)];
}

/** The stations on the node that a packet leaves. */
function departure(direction: Direction, from: End, to: End, sights: Sights): Station[] {
  const { node } = from;
  const at = (points: readonly Point[], missing: Station["missing"]): Station => ({ node, direction, points, missing });
  const out = at(["out", "translated"], () => dropped(direction, from, to, sights, node));
  if (!from.pod) {
    return [at(["from"], () => unsent(direction, from, to, sights)), out];
  }
  return [
    at(["in"], () => cutOff(from, to, sights)),
    at(["forward", "to"], () => unrouted(direction, to, sights, node)),
    at(["passed", "to"], () => dropped(direction, from, to, sights, node)),
    ...(!to.pod && to.node === node ? [] : [out]),
  ];
}

/** The stations on the node that a packet is for, behind the link. */
function arrival(direction: Direction, from: End, to: End, sights: Sights): Station[] {
  const { node } = to;
  const at = (points: readonly Point[], missing: Station["missing"]): Station => ({ node, direction, points, missing });
  const drop = (): Cause => dropped(direction, from, to, sights, node);
  if (!to.pod) {
    return [at(["to"], () => refused(direction, from, to, sights))];
  }
  return [
    at(["forward"], () => unrouted(direction, to, sights, node)),
    at(["passed"], drop),
    at(["out", "translated"], drop),
  ];
}

/** Whether the target's answer leaves it at all; between the two directions. */
function answered(source: End, target: End, sights: Sights): Station[] {
  return !target.pod
    ? []
    : [{ node: target.node, direction: "back", points: ["in"], missing: () => unanswered(source, target, sights) }];
}
