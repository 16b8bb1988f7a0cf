import { z } from "zod";
import { absence, machineAddress } from "../machine/presence";

/** A machine that was a node when the preflight last ran, as it is known again. */
export const keptMachine = machineAddress.extend({
  machineId: z.string(),
  hostname: z.string(),
  /** Whether it ends with its resource. */
  passing: z.boolean(),
});
/** A machine that was a node when the preflight last ran. */
export type KeptMachine = z.output<typeof keptMachine>;

type Machines = Readonly<Record<string, KeptMachine>>;

/**
 * Nodes that would move to another machine under their name, where `own` are those whose machine bears the node's own mark.
 * What podnet put on the old one would stay there for ever.
 */
export function movedMachines(earlier: Machines, now: Machines, own: readonly string[]): Record<string, string[]> {
  const moved = Object.entries(now).filter(([name, { host, port, key }]) => {
    const before = earlier[name];
    const same = before?.host === host && before.port === port && before.key === key;
    return before !== undefined && !before.passing && !same && !own.includes(name);
  });
  return Object.fromEntries(
    moved.map(([name, { host, port }]) => [
      name,
      [
        `it is on the machine ${earlier[name]?.host ?? ""} port ${String(earlier[name]?.port)}, and ${host} port ${String(port)} is ` +
          `another one, without this node's mark. A node keeps its machine: declare the other one under a name and slot of its ` +
          `own, and take ${name} out; if its machine is gone for good, declare it with gone: true first`,
      ],
    ]),
  );
}

/**
 * Nodes that are no longer declared and whose machine does not answer as the one that it was, so that nothing on it can be
 * undone. `declared` are the nodes that are declared, gone ones included.
 */
export async function unreachableMachines(
  earlier: Machines,
  declared: readonly string[],
): Promise<Record<string, string[]>> {
  const left = Object.entries(earlier).filter(([name, { passing }]) => !passing && !declared.includes(name));
  const reasons = await Promise.all(left.map(async ([name, at]) => [name, at, await absence(at)] as const));
  return Object.fromEntries(
    reasons.flatMap(([name, { host, port }, reason]) =>
      reason === undefined
        ? []
        : [
            [
              name,
              [
                `it is no longer declared, and its machine does not answer at ${host} port ${String(port)} (${reason}), so what ` +
                  "podnet put there cannot be taken off. Start it and run the update again; or, if it is gone for good, declare " +
                  "the node again with gone: true, run the update, and then take it out",
              ],
            ],
          ],
    ),
  );
}
