import type { NetworkKind } from "./kind";
import * as kinds from "./kinds";

/** Every kind of network that podnet installs, by name. */
export const NETWORK_KINDS: readonly NetworkKind[] = Object.values(kinds)
  .map(({ kind }) => kind)
  .sort((a, b) => (a.kind < b.kind ? -1 : 1));

/** Names of the kinds, as in the stack's config. */
export const NETWORKS: readonly string[] = NETWORK_KINDS.map(({ kind }) => kind);

/** The kind with this name. Throws when there is none. */
export function kindNamed(name: string): NetworkKind {
  const found = NETWORK_KINDS.find(({ kind }) => kind === name);
  if (!found) {
    throw new Error(`no network "${name}"; there are ${NETWORKS.join(", ")}`);
  }
  return found;
}
