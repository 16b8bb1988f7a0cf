import type { NodeStatus } from "../node/status";

/** Seconds for which the check tells of what a node put back. */
const TOLD_FOR = 3600;

/** A warning for each thing that a node put back in the last hour: somebody takes away or changes what podnet made there. */
export function restoredWarnings(statuses: Readonly<Record<string, Pick<NodeStatus, "restored">>>): string[] {
  return Object.entries(statuses).flatMap(([node, { restored }]) => {
    const newest = new Map(restored.map(({ what, secondsAgo }) => [what, secondsAgo]));
    return [...newest].flatMap(([what, secondsAgo]) =>
      secondsAgo > TOLD_FOR
        ? []
        : [
            `${node}: ${what}; podnet put it back ${String(secondsAgo)} s ago: look who changes it, or it happens again`,
          ],
    );
  });
}
