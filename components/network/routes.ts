import { formatCidr, formatIpv4, parseCidr, parseIpv4, size } from "../args/ipv4";

/** A node of the cluster as its peers route to it. */
export interface Peer {
  readonly podCidr: string;
  readonly internalIp: string;
}

interface Run {
  readonly base: number;
  readonly prefix: number;
  readonly via: number;
  readonly count: number;
}

/** Peers by pod CIDR, those that follow each other by subnet and by address counted together. */
function runsOf(peers: readonly Peer[]): Run[] {
  const rows = peers
    .map(({ podCidr, internalIp }) => ({ ...parseCidr(podCidr), via: parseIpv4(internalIp), count: 1 }))
    .sort((a, b) => a.base - b.base);
  const runs: Run[] = [];
  for (const row of rows) {
    const last = runs.at(-1);
    const follows =
      last !== undefined &&
      last.prefix === row.prefix &&
      row.base === last.base + last.count * size(row) &&
      row.via === last.via + last.count;
    if (follows) {
      runs[runs.length - 1] = { ...last, count: last.count + 1 };
    } else {
      runs.push(row);
    }
  }
  return runs;
}

/** Takes one node out of the runs. */
function without(runs: readonly Run[], podCidr: string): Run[] {
  const own = parseCidr(podCidr).base;
  return runs.flatMap((run) => {
    const step = size(run);
    const at = (own - run.base) / step;
    if (at < 0 || at >= run.count) {
      return [run];
    }
    const before = { ...run, count: at };
    const after = { ...run, base: own + step, via: run.via + at + 1, count: run.count - at - 1 };
    return [before, after].filter(({ count }) => count > 0);
  });
}

/** How many routes in a row are written out one by one before they are counted. */
const WRITTEN_OUT = 16;

function linesOf({ base, prefix, via, count }: Run): string[] {
  const step = 2 ** (32 - prefix);
  const line = (n: number): string => `${formatCidr({ base: base + n * step, prefix })} via ${formatIpv4(via + n)}`;
  return count <= WRITTEN_OUT
    ? Array.from({ length: count }, (_, n) => line(n))
    : [`${line(0)} and ${String(count - 1)} more`];
}

/**
 * For each node of a cluster the routes to the others' pods, as the node program reads them: `CIDR via NEXT-HOP`, in the order of
 * the subnets. More than 16 in a row, each the next subnet by the next address, are one line: `CIDR via NEXT-HOP and N more`.
 */
export function routesOfEach(peers: Readonly<Record<string, Peer>>): Record<string, string[]> {
  const runs = runsOf(Object.values(peers));
  return Object.fromEntries(
    Object.entries(peers).map(([name, { podCidr }]) => [name, without(runs, podCidr).flatMap(linesOf)]),
  );
}
