import { z } from "zod";
import type { Shell } from "../machine/shell";
import { askNode } from "../node/ask";
import type { SeenProbe } from "./driver";

/** Seconds that a node may take to look. */
const SECONDS = 40;

const seenProbe = z.strictObject({
  probe: z.string(),
  pid: z.number(),
  downwardIp: z.string(),
  interfaceIps: z.array(z.string()),
  podName: z.string(),
});

const seenNode = z.strictObject({ addresses: z.array(z.string()), up: z.number(), lacks: z.array(z.string()) });

/** What the nodes see of themselves. */
export interface Discovered {
  /** Probes as their own nodes see them, by node. */
  readonly seen: Readonly<Record<string, readonly SeenProbe[]>>;
  /** Each node's own addresses. */
  readonly addresses: Readonly<Record<string, readonly string[]>>;
  /** Seconds since the node that started last did so. */
  readonly up: number;
}

/** Package of a program on Debian and Ubuntu, as advice; one that is too old is not mended by it. */
function packageOf(program: string): string {
  if (program.includes(" ")) {
    return "; install one from the distribution's backports, or a newer release of the distribution";
  }
  const names: Readonly<Record<string, string>> = { curl: "curl", getent: "libc-bin", ping: "iputils-ping" };
  return `; on Debian and Ubuntu: apt-get install ${names[program] ?? (program === "timeout" ? "coreutils" : "util-linux")}`;
}

/** Looks on every node for the probes' processes and for the node's own addresses. */
export async function discover(shells: ReadonlyMap<string, Shell>): Promise<Discovered> {
  const seen: Record<string, SeenProbe[]> = {};
  const addresses: Record<string, string[]> = {};
  let up = Infinity;
  const lacking: string[] = [];
  await Promise.all(
    [...shells].map(async ([name, shell]) => {
      const [first = "", ...rest] = await askNode(shell, "discover", {}, SECONDS);
      const node = seenNode.parse(JSON.parse(first));
      addresses[name] = node.addresses;
      up = Math.min(up, node.up);
      lacking.push(...node.lacks.map((program) => `${name} lacks the program ${program}${packageOf(program)}`));
      seen[name] = rest.map((line) => seenProbe.parse(JSON.parse(line)));
    }),
  );
  if (lacking.length > 0) {
    throw new Error(`what the check asks with is not on every node:\n  ${lacking.sort().join("\n  ")}`);
  }
  return { seen, addresses, up };
}
