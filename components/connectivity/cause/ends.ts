import type { Cause, Hop, Sights } from "./cause";

/** One end of a flow, as one direction sees it. */
export interface End {
  readonly node: string;
  readonly address: string;
  /** The probe on the pod network that has the address; undefined for a node's own, and for another pod's. */
  readonly probe: string | undefined;
  /** Whether the address is a pod's. */
  readonly pod: boolean;
}

/** A cause. */
export function cause(place: string, hop: Hop, text: string, example?: string): Cause {
  return { place, hop, text, ...(example !== undefined && { example }) };
}

/** A pod as a reader knows it. */
export function podText({ probe, node, address }: End): string {
  return probe === undefined ? `the pod ${address}` : `${node}/${probe} (${address})`;
}

/** Whether a neighbour has not answered. */
export function isDead(state: string): boolean {
  return state === "FAILED" || state === "INCOMPLETE";
}

/** The kernel's words where it has no way for a packet. */
export function routeError(text: string): string | undefined {
  const [, words] = /RTNETLINK answers: (.*)$/.exec(text) ?? [];
  const special = /^(blackhole|unreachable|prohibit|throw) /.exec(text)?.[1];
  return special ?? (words === "Invalid argument" ? "a blackhole route" : words);
}

/** Why a pod's packets do not come in on its own node. */
export function cutOff(from: End, to: End, sights: Sights): Cause | undefined {
  const { node } = from;
  const own = endTrouble(from, to, sights);
  if (own) {
    return own;
  }
  const { gateway = "", neighbour = "" } = sights.inside(node) ?? {};
  if (isDead(neighbour)) {
    return cause(
      node,
      "bridge",
      `the next hop ${gateway} of ${podText(from)} does not answer it (neighbour ${neighbour})`,
    );
  }
  // Without a bridge a network's own programs may take packets on before the kernel counts them.
  return sights.port(node)?.bridge === ""
    ? undefined
    : cause(node, "bridge", `no packet of ${podText(from)} comes in from its interface`);
}

/** What is wrong at a pod itself, or with the node's end of its interface. */
function endTrouble(pod: End, other: End, sights: Sights): Cause | undefined {
  const inside = insideTrouble(pod, other, sights);
  if (inside !== undefined) {
    return cause(pod.node, "pod", inside);
  }
  const port = portTrouble(pod.node, sights);
  return port === undefined ? undefined : cause(pod.node, "bridge", port);
}

/** What is wrong with a pod's own interface and routes. */
function insideTrouble(pod: End, other: End, sights: Sights): string | undefined {
  const inside = sights.inside(pod.node);
  if (!inside) {
    return undefined;
  }
  const who = podText(pod);
  if (inside.mtu === 0) {
    return `${who} has no eth0`;
  }
  if (!inside.up) {
    return `eth0 of ${who} is down`;
  }
  if (!inside.address.startsWith(`${pod.address}/`)) {
    return `eth0 of ${who} has the address ${inside.address === "" ? "none" : inside.address}`;
  }
  return routeError(inside.route) === undefined
    ? undefined
    : `${who} has no route to ${other.address}: ${routeError(inside.route) ?? ""}`;
}

/** What is wrong with the node's end of a pod's interface, and with the bridge that it is on. */
export function portTrouble(node: string, sights: Sights): string | undefined {
  const port = sights.port(node);
  if (!port) {
    return undefined;
  }
  const bridge = sights.links(node).find(({ name }) => name === port.bridge);
  if (!port.up) {
    return `${port.name}, the node's end of the pod's interface, is down`;
  }
  if (bridge && !bridge.up) {
    return `the bridge ${bridge.name} is down`;
  }
  if (port.isolated) {
    return `the bridge's port ${port.name} is isolated, so that pods on it do not reach each other`;
  }
  const gateway = sights.inside(node)?.gateway;
  if (bridge && gateway !== undefined && isForeign(gateway, bridge.addresses, sights.inside(node)?.address)) {
    return `the bridge ${bridge.name} has the address ${bridge.addresses.join(", ") || "none"}, and the pods' gateway is ${gateway}`;
  }
  return bridge === undefined && sights.links(node).some(({ name }) => name === "cni0")
    ? `${port.name}, the node's end of the pod's interface, is not on the bridge cni0`
    : undefined;
}

/** Whether a gateway is none of a bridge's addresses; a pod of the same subnet has no gateway. */
function isForeign(gateway: string, addresses: readonly string[], own = ""): boolean {
  const inSubnet = gateway.split(".").slice(0, 3).join(".") === own.split(".").slice(0, 3).join(".");
  return inSubnet && gateway.endsWith(".1") && !addresses.some((address) => address.startsWith(`${gateway}/`));
}

/** Why a pod that packets were sent to answers none. */
export function unanswered(source: End, target: End, sights: Sights): Cause {
  const { node } = target;
  const own = endTrouble(target, source, sights);
  if (own) {
    return own;
  }
  const neighbour = sights.neighbour(node, "there");
  return neighbour && isDead(neighbour.state)
    ? cause(node, "bridge", `nobody answers for the pod's address ${target.address} (neighbour ${neighbour.state})`)
    : cause(node, "pod", `packets come to ${podText(target)}, and no answer leaves it`);
}
