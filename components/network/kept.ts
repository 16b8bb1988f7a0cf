import { z } from "zod";
import { own } from "../args/own";
import { absence, machineAddress } from "../machine/presence";

/** A machine that was a node when the preflight last ran, as it is known again. */
export const keptMachine = machineAddress.extend({
  machineId: z.string(),
  hostname: z.string(),
  /** Whether it ends with its resource. */
  passing: z.boolean(),
  /** Whether it carried the control plane; undefined where an earlier podnet did not say. */
  controlPlane: z.boolean().optional(),
});
/** A machine that was a node when the preflight last ran. */
export type KeptMachine = z.output<typeof keptMachine>;

type Machines = Readonly<Record<string, KeptMachine>>;

/**
 * Nodes that would move to another machine under their name, where `ours` are those whose machine bears the node's own mark.
 * What podnet put on the old one would stay there for ever.
 */
export function movedMachines(earlier: Machines, now: Machines, ours: readonly string[]): Record<string, string[]> {
  const moved = Object.entries(now).filter(([name, { host, port, key }]) => {
    const before = own(earlier, name);
    const same = before?.host === host && before.port === port && before.key === key;
    return before !== undefined && !before.passing && !same && !ours.includes(name);
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
 * The control plane, where it would move to a node that was none: that would make a new cluster, and take the old one's machine
 * back with all that its etcd holds.
 */
export function movedControlPlane(earlier: Machines, control: string): Record<string, string[]> {
  const before = Object.keys(earlier).find((name) => earlier[name]?.controlPlane === true);
  return before === undefined || control === "" || before === control
    ? {}
    : {
        [control]: [
          `the cluster's control plane is ${before}, and podnet does not move a control plane: that would end all that runs in the ` +
            `cluster. Declare ${before} as it was; or make the cluster anew with pulumi destroy and pulumi up`,
        ],
      };
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
