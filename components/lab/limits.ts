/** One thing of a host that all its labs share, as it is now. */
export interface SharedLimit {
  /** Its name, as in sysctl or as a reader knows it. */
  readonly name: string;
  /** What is counted. */
  readonly unit: string;
  /** How much there may be. */
  readonly limit: number;
  /** How much is used now. */
  readonly used: number;
  /** How much one node takes at most, by measurement. */
  readonly perNode: number;
  /** File of the kernel by which root can raise it; without it nobody but the machine's owner can. */
  readonly file?: string;
}

/** A limit under which a lab would not work. */
export interface TooLow extends SharedLimit {
  /** What the limit has to be at least. */
  readonly needed: number;
}

/** The limits that do not suffice for so many more nodes. */
export function tooLow(limits: readonly SharedLimit[], nodes: number): TooLow[] {
  return limits
    .map((limit) => ({ ...limit, needed: limit.used + limit.perNode * nodes }))
    .filter(({ limit, needed }) => needed > limit);
}

/** The value that a limit is raised to: with room for as much again, as the power of two that is customary. */
export function raisedTo({ needed }: TooLow): number {
  return 2 ** Math.ceil(Math.log2(2 * needed));
}

/** What stands in a lab's way, and what to do: one line a limit. */
export function limitText(low: TooLow, nodes: number): string {
  const { name, unit, limit, used, needed } = low;
  const short = `${name} is ${String(limit)}: ${String(used)} ${unit} are in use, and ${String(nodes)} more lab nodes need ${String(needed - used)}`;
  return low.file === undefined
    ? `${short}; give this machine more, or take another lab down`
    : `${short}; as root: sysctl -w ${name}=${String(raisedTo(low))}, or take another lab down`;
}
