import { createHash } from "node:crypto";
import {
  addressAt,
  type Cidr,
  contains,
  formatCidr,
  formatIpv4,
  overlaps,
  parseCidr,
  parseIpv4,
  size,
  subnet,
  subnetCount,
} from "../args/ipv4";
import type { Problem } from "../args/validate";

/** Place of slot 0 in a lab's subnet; the addresses before it are the gateway's and the host's. */
const LAB_FIRST_HOST = 10;

/** Address of the node with this slot in a lab's subnet, which must have room for it. */
export function nodeAddress(subnetText: string, slot: number): string {
  return formatIpv4(addressAt(parseCidr(subnetText), LAB_FIRST_HOST + slot));
}

/** Whether an address is of a subnet, both as texts. */
export function isInSubnet(address: string, subnetText: string): boolean {
  return contains(parseCidr(subnetText), parseIpv4(address));
}

/** What a lab is known by on its host. Derived from something that no other lab has. */
export interface LabIdentity {
  /** `podnet-` and six hex digits: the lab's name, its socket folder in /run and the label on all it makes. */
  readonly name: string;
  /** `pn-` and the same six digits: the bridge's link name, within the kernel's 15 characters. */
  readonly bridge: string;
  /** Candidate /24 networks in order of preference, all private, none inside podnet's default pod or service CIDR. */
  readonly subnets: readonly string[];
}

/** One route of the host that a lab's subnet must stay clear of. */
export interface HostRoute {
  /** Destination, as `a.b.c.d/len`. */
  readonly destination: string;
  /** Link that the route leaves by. */
  readonly link: string;
}

/** How many candidates each private range gives. One VPN often claims a whole range, so there is a choice of ranges. */
const CANDIDATES = [
  { range: "172.16.0.0/12", count: 12 },
  { range: "192.168.0.0/16", count: 6 },
  { range: "10.128.0.0/10", count: 6 },
];

/** Names, bridge and candidate subnets of the lab that a text stands for, such as its key or a clone's folder. */
export function labIdentity(seed: string): LabIdentity {
  const digest = createHash("sha256").update(seed).digest();
  const tag = digest.toString("hex").slice(0, 6);
  const subnets = CANDIDATES.flatMap(({ range, count }, row) => {
    const cidr = parseCidr(range);
    const total = subnetCount(cidr, 24);
    const start = digest.readUInt16BE(4 + 4 * row);
    // Any odd step visits every subnet of a power of two before it repeats one.
    const step = digest.readUInt16BE(6 + 4 * row) | 1;
    return Array.from({ length: count }, (_, i) => formatCidr(subnet(cidr, 24, (start + i * step) % total)));
  });
  return { name: `podnet-${tag}`, bridge: `pn-${tag}`, subnets };
}

/** Mark of the stack that a lab is of, from the lab's public key, which the stack minted once. */
export function ownerOf(publicKey: string): string {
  return createHash("sha256").update(publicKey.trim()).digest("hex").slice(0, 12);
}

/** The routes that a subnet overlaps, the default route (which overlaps everything) and the lab's own bridge left out. */
export function collisions(candidate: string, routes: readonly HostRoute[], bridge: string): HostRoute[] {
  const cidr = parseCidr(candidate);
  return routes.filter(({ destination, link }) => {
    const other: Cidr = parseCidr(destination);
    return link !== bridge && other.prefix > 0 && overlaps(cidr, other);
  });
}

/** Link name of the bridge of the lab with this name, within the kernel's 15 characters. */
export function bridgeOf(labName: string): string {
  const tag = /^podnet-([0-9a-f]{6})$/.exec(labName)?.[1];
  return `pn-${tag ?? createHash("sha256").update(labName).digest("hex").slice(0, 8)}`;
}

/** What is wrong with a subnet that somebody chose for a lab: routes of the host in its way. */
export function subnetProblems(
  subnetText: string,
  routes: readonly HostRoute[],
  identity: Pick<LabIdentity, "bridge" | "subnets">,
): Problem[] {
  return collisions(subnetText, routes, identity.bridge).map(({ destination, link }) => ({
    path: "subnet",
    message: `${subnetText} overlaps this host's route ${destination} (${link}); ${chooseSubnet(identity, routes)} is free`,
  }));
}

/**
 * What is wrong with a lab's nodes in a subnet, a /24 where none was chosen: one that it has no address for. Of nodes without a
 * valid slot nothing is said.
 */
export function roomProblems(
  subnetText: string | undefined,
  nodes: readonly ({ readonly slot?: number | undefined } | undefined)[],
): Problem[] {
  const last = Math.max(0, ...nodes.map((node) => node?.slot ?? 0));
  const addresses = subnetText === undefined ? 256 : size(parseCidr(subnetText));
  return LAB_FIRST_HOST + last >= addresses - 1
    ? [
        {
          path: "subnet",
          message: `${subnetText ?? "a /24"} has no address for slot ${String(last)}; use a larger one`,
        },
      ]
    : [];
}

/** The first candidate that overlaps no route. Throws, listing what stands in the way, when there is none. */
export function chooseSubnet(identity: Pick<LabIdentity, "bridge" | "subnets">, routes: readonly HostRoute[]): string {
  const free = identity.subnets.find((candidate) => collisions(candidate, routes, identity.bridge).length === 0);
  if (free === undefined) {
    const taken = [...new Set(routes.map(({ destination, link }) => `${destination} (${link})`))].join(", ");
    throw new Error(
      `no free /24 for the lab among ${identity.subnets.join(", ")}: taken are ${taken}. ` +
        "Choose one yourself: pulumi config set podnet:labSubnet <a.b.c.0/24>",
    );
  }
  return free;
}

/** Arguments of iproute2's `ip` for what {@link parseHostRoutes} reads. */
export const HOST_ROUTES = ["-j", "-4", "route", "show", "table", "all", "type", "unicast"];

/** Reads what `ip` prints for {@link HOST_ROUTES}: its IPv4 routes, single hosts as /32, the default as 0.0.0.0/0. */
export function parseHostRoutes(json: string): HostRoute[] {
  const rows: unknown = JSON.parse(json);
  if (!Array.isArray(rows)) {
    throw new Error("`ip -j route` did not print a list");
  }
  return rows.flatMap((row: { dst?: unknown; dev?: unknown }) => {
    if (typeof row.dst !== "string" || row.dst.includes(":")) {
      return [];
    }
    // iproute2 says "default" for IPv6 too; either way it collides with nothing.
    const destination = row.dst === "default" ? "0.0.0.0/0" : row.dst.includes("/") ? row.dst : `${row.dst}/32`;
    return [{ destination, link: typeof row.dev === "string" ? row.dev : "?" }];
  });
}
