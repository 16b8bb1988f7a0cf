import { z } from "zod";
import { DISCOVER, type SeenProbe } from "./driver";
import type { NodeShell } from "./ssh";

const seenProbe = z.strictObject({
  probe: z.string(),
  pid: z.number(),
  downwardIp: z.string(),
  interfaceIps: z.array(z.string()),
  podName: z.string(),
});

const seenNode = z.strictObject({ addresses: z.array(z.string()) });

/** What the nodes see of themselves. */
export interface Discovered {
  /** Probes as their own nodes see them, by node. */
  readonly seen: Readonly<Record<string, readonly SeenProbe[]>>;
  /** Each node's own addresses. */
  readonly addresses: Readonly<Record<string, readonly string[]>>;
}

/** Looks on every node for the probes' processes and for the node's own addresses. */
export async function discover(shells: ReadonlyMap<string, NodeShell>): Promise<Discovered> {
  const seen: Record<string, SeenProbe[]> = {};
  const addresses: Record<string, string[]> = {};
  await Promise.all(
    [...shells].map(async ([name, shell]) => {
      const { stdout } = await shell.run(DISCOVER);
      const [first = "", ...rest] = stdout.split("\n").filter((line) => line !== "");
      addresses[name] = seenNode.parse(JSON.parse(first)).addresses;
      seen[name] = rest.map((line) => seenProbe.parse(JSON.parse(line)));
    }),
  );
  return { seen, addresses };
}
