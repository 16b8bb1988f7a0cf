import type { Cause, Sights } from "./cause";
import { cause, type End, isDead, podText, portTrouble, routeError } from "./ends";
import type { Direction } from "./seen";

/** What is declared of a node, as far as a packet's way goes by it. */
export interface Declared {
  readonly internalIp: string;
  /** MTU of its pods' links, in bytes. */
  readonly mtu: number;
}

/** Why a node itself sends nothing. */
export function unsent(direction: Direction, from: End, to: End, sights: Sights): Cause | undefined {
  const error = routeError(sights.route(from.node, direction));
  // It may send from another of its addresses, such as an overlay's.
  return error === undefined ? undefined : cause(from.node, "routes", `it has no route to ${to.address}: ${error}`);
}

/** Why a packet that came in is not forwarded. */
export function unrouted(direction: Direction, to: End, sights: Sights, node: string): Cause {
  const text = sights.route(node, direction);
  const error = routeError(text);
  // Without its bridge, or the bridge's address, a node has no route to its own pods.
  const port = to.pod && to.node === node ? portTrouble(node, sights) : undefined;
  if (error !== undefined && port !== undefined) {
    return cause(node, "bridge", port);
  }
  if (error !== undefined) {
    return cause(node, "routes", `it has no route to ${to.address}: ${error}`);
  }
  if (sights.counted(node, "TcpExtIPReversePathFilter")) {
    return reversePath(node);
  }
  const full = sights.fullConntrack(node);
  if (full !== undefined) {
    return cause(node, "rules", full);
  }
  const [drop] = sights.drops(node);
  return drop === undefined
    ? cause(node, "routes", `it takes packets in and does not forward them`, `to ${to.address}, its route: ${text}`)
    : cause(node, "rules", `${drop} drops packets`, `for ${to.address}`);
}

function reversePath(node: string): Cause {
  return cause(
    node,
    "routes",
    "rp_filter drops packets there: they come in by another link than the answer would leave by",
  );
}

/** Why a packet does not pass a node's rules. */
export function dropped(direction: Direction, from: End, to: End, sights: Sights, node: string): Cause {
  const drops = sights.drops(node);
  const what = `from ${from.address} to ${to.address}`;
  if (drops.length > 0) {
    return cause(node, "rules", `${drops.join(" and ")} ${drops.length > 1 ? "drop" : "drops"} packets`, what);
  }
  const full = sights.fullConntrack(node);
  if (full !== undefined) {
    return cause(node, "rules", full);
  }
  const error = routeError(sights.route(node, direction));
  return error === undefined
    ? cause(node, "rules", "it drops packets between its rules for forwarding", what)
    : cause(node, "routes", `it has no route to ${to.address}: ${error}`);
}

/** Why a packet that left one node does not come in at the other. */
export function lostBetween(
  direction: Direction,
  from: End,
  to: End,
  sights: Sights,
  nodes: Readonly<Record<string, Declared>>,
): Cause {
  const { node } = from;
  const changed = translated(direction, from, to, sights);
  if (changed) {
    return changed;
  }
  const text = sights.route(node, direction);
  const [, device = ""] = / dev (\S+)/.exec(text) ?? [];
  const [, via] = / via (\S+)/.exec(text) ?? [];
  const link = sights.links(node).find(({ name }) => name === device);
  const neighbour = sights.neighbour(node, direction);
  if (link && !link.up) {
    return cause(node, "link", `its link ${device} is down`);
  }
  if (neighbour && isDead(neighbour.state)) {
    const words = `the next hop ${neighbour.address} on ${device} does not answer (neighbour ${neighbour.state})`;
    return cause(node, "link", words);
  }
  const owner = Object.keys(nodes).find((name) => nodes[name]?.internalIp === via);
  if (via !== undefined && owner !== to.node && sights.links(to.node).every((one) => !hasAddress(one, via))) {
    const who = owner === undefined ? "" : `, which is ${owner}`;
    return cause(node, "routes", `what is for the pods of ${to.node} goes via ${via}${who}`, `to ${to.address}`);
  }
  const there = sights.links(to.node).find((one) => hasAddress(one, neighbour?.address ?? ""));
  // A cloud's network may answer for all of its machines with one address of its own.
  const odd =
    neighbour?.state === "PERMANENT" ||
    Object.keys(nodes).some((name) => sights.links(name).some(({ lladdr }) => lladdr === neighbour?.lladdr));
  if (neighbour && there && odd && neighbour.lladdr !== "" && neighbour.lladdr !== there.lladdr) {
    const known = `it knows ${neighbour.address} by the link-layer address ${neighbour.lladdr}`;
    return cause(node, "link", `${known}, and ${to.node}'s is ${there.lladdr}`);
  }
  const [queue] = sights.queues(node, device);
  if (queue !== undefined) {
    return cause(node, "link", `the queue of its link drops packets: ${queue}`);
  }
  const drops = [...sights.drops(node), ...sights.drops(to.node)];
  return cause(
    node,
    "link",
    `packets leave it by ${device === "" ? "no link" : device} and do not come in at ${to.node}` +
      (drops.length > 0 ? `: ${drops.join("; ")}` : ""),
    `to ${to.address}`,
  );
}

function hasAddress({ addresses }: { readonly addresses: readonly string[] }, address: string): boolean {
  return addresses.some((one) => one.startsWith(`${address}/`));
}

/** Why a node does not take for itself what came in for it. */
export function refused(direction: Direction, from: End, to: End, sights: Sights): Cause {
  return sights.counted(to.node, "TcpExtIPReversePathFilter")
    ? reversePath(to.node)
    : dropped(direction, from, to, sights, to.node);
}

/** The rule that gives what a flow sends another source address on its way out of a node. */
export function translated(direction: Direction, from: End, to: End, sights: Sights): Cause | undefined {
  const node = [from.node, to.node].find((name) => sights.packets(name, direction, "translated") > 0);
  if (node === undefined) {
    return undefined;
  }
  const rules = sights.translations(node);
  const who = rules.length === 0 ? "it gives" : `${rules.join(" and ")} ${rules.length > 1 ? "give" : "gives"}`;
  return cause(node, "rules", `${who} packets another source address`, `from ${from.address} to ${to.address}`);
}

/** The link at an end of a way that went down and came up again while its packets were followed. */
export function carrierTrouble(source: End, target: End, sights: Sights): Cause | undefined {
  for (const [direction, { node }] of [
    ["there", source],
    ["back", target],
  ] as const) {
    for (const name of [sights.port(node)?.name, deviceOf(sights.route(node, direction))]) {
      const times = name === undefined ? 0 : sights.carrierLosses(node, name);
      if (name !== undefined && times > 0) {
        return cause(
          node,
          "link",
          `its link ${name} lost its carrier ${String(times)} times while packets were followed`,
        );
      }
    }
  }
  return undefined;
}

/** The link by which a route leads. */
function deviceOf(route: string): string | undefined {
  return / dev (\S+)/.exec(route)?.[1];
}

/** The link on a way that is too small for packets of a size, or a pod's own whose MTU is not the declared one. */
export function mtuTrouble(
  size: number,
  source: End,
  target: End,
  sights: Sights,
  nodes: Readonly<Record<string, Declared>>,
): Cause | undefined {
  for (const [direction, end] of [
    ["there", source],
    ["back", target],
  ] as const) {
    const { node } = end;
    const declared = nodes[node]?.mtu ?? size;
    const inside = sights.inside(node);
    // One that is larger may have a route that is not.
    if (inside && inside.mtu < declared) {
      return cause(
        node,
        "pod",
        `eth0 of ${podText(end)} has the MTU ${String(inside.mtu)}, declared is ${String(declared)}`,
      );
    }
    const [, device = ""] = / dev (\S+)/.exec(sights.route(node, direction)) ?? [];
    const small = sights
      .links(node)
      .find(({ name, mtu }) => (name === device || name === sights.port(node)?.bridge) && mtu < declared);
    if (small) {
      const text = `its link ${small.name} has the MTU ${String(small.mtu)}, and its pods' links have ${String(declared)}`;
      return cause(node, "link", text);
    }
  }
  return undefined;
}
