import type { NodeStatus } from "../node/status";

/** Seconds for which the check tells of what a node mended by itself. */
const TOLD_FOR = 3600;

/** A warning for each thing that a node mended in the last hour: somebody takes away or changes what podnet made there. */
export function mendedWarnings(statuses: Readonly<Record<string, Pick<NodeStatus, "mended">>>): string[] {
  return Object.entries(statuses).flatMap(([node, { mended }]) => {
    const newest = new Map(mended.map(({ what, secondsAgo }) => [what, secondsAgo]));
    return [...newest].flatMap(([what, secondsAgo]) =>
      secondsAgo > TOLD_FOR
        ? []
        : [
            `${node}: ${what}; podnet mended that ${String(secondsAgo)} s ago; find out who changes it, or it will happen again`,
          ],
    );
  });
}
