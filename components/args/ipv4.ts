/** An IPv4 network: its first address as an unsigned 32-bit number, and the length of its prefix in bits. */
export interface Cidr {
  readonly base: number;
  readonly prefix: number;
}

const OCTET = /^(0|[1-9][0-9]{0,2})$/;

/**
 * Reads a dotted-quad IPv4 address into an unsigned 32-bit number. Throws on anything else, leading zeros included:
 * iproute2 reads `010` as octal, so one text would mean two addresses.
 */
export function parseIpv4(text: string): number {
  const octets = text.split(".");
  if (octets.length !== 4 || !octets.every((octet) => OCTET.test(octet) && Number(octet) <= 255)) {
    throw new Error(`"${text}" is not an IPv4 address such as 10.0.0.1 (four numbers 0 to 255, no leading zeros)`);
  }
  return octets.reduce((value, octet) => value * 256 + Number(octet), 0);
}

/** Writes an unsigned 32-bit number as a dotted quad. */
export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}

/** Number of addresses in a network, its first and last included. */
export function size(cidr: Cidr): number {
  return 2 ** (32 - cidr.prefix);
}

/** Reads `a.b.c.d/len`. Throws when the text is malformed or when host bits are set, naming the network that was probably meant. */
export function parseCidr(text: string): Cidr {
  const match = /^([^/]+)\/(0|[1-9][0-9]?)$/.exec(text);
  const prefix = Number(match?.[2]);
  if (!match?.[1] || prefix > 32) {
    throw new Error(`"${text}" is not an IPv4 CIDR such as 10.244.0.0/16`);
  }
  let address: number;
  try {
    address = parseIpv4(match[1]);
  } catch {
    throw new Error(`"${text}" is not an IPv4 CIDR such as 10.244.0.0/16`);
  }
  const base = address - (address % 2 ** (32 - prefix));
  if (base !== address) {
    throw new Error(`"${text}" has host bits set; did you mean ${formatCidr({ base, prefix })}?`);
  }
  return { base, prefix };
}

/** Writes a network as `a.b.c.d/len`. */
export function formatCidr(cidr: Cidr): string {
  return `${formatIpv4(cidr.base)}/${String(cidr.prefix)}`;
}

/** Whether an address lies in a network. */
export function contains(cidr: Cidr, address: number): boolean {
  return address >= cidr.base && address < cidr.base + size(cidr);
}

/** Whether two networks share an address. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return contains(a, b.base) || contains(b, a.base);
}

/** How many subnets of a prefix length a network holds; 0 when the subnets would be larger than the network. */
export function subnetCount(cidr: Cidr, prefix: number): number {
  return prefix < cidr.prefix ? 0 : 2 ** (prefix - cidr.prefix);
}

/** The n-th subnet (from 0) of a prefix length in a network. Throws a RangeError when there are not so many. */
export function subnet(cidr: Cidr, prefix: number, n: number): Cidr {
  const count = subnetCount(cidr, prefix);
  if (!Number.isInteger(n) || n < 0 || n >= count) {
    throw new RangeError(`${formatCidr(cidr)} has ${count} subnets of /${prefix}, there is no number ${n}`);
  }
  return { base: cidr.base + n * 2 ** (32 - prefix), prefix };
}

/** The n-th address (from 0, the network's own) of a network. Throws a RangeError outside it. */
export function addressAt(cidr: Cidr, n: number): number {
  if (!Number.isInteger(n) || n < 0 || n >= size(cidr)) {
    throw new RangeError(`${formatCidr(cidr)} has ${size(cidr)} addresses, there is no number ${n}`);
  }
  return cidr.base + n;
}
