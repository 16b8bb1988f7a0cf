import { quote } from "./quote";

/** How a script runs on a node. */
export interface RemoteScript {
  /** Name of the lock that runs of the script take in turn: one per phase of a node. */
  readonly lock: string;
  /** Seconds until the script is ended, and until a wait for the lock is given up. */
  readonly timeout: number;
  /** Bash, run as root with `errexit`, `nounset` and `pipefail`. */
  readonly script: string;
}

/**
 * Wraps a script as the one command that a node runs over SSH: as root (by `sudo -n` where the user is not root), bounded
 * in time, and one at a time, because a killed `pulumi up` leaves its script running and the next one starts it again.
 */
export function remoteCommand({ lock, timeout, script }: RemoteScript): string {
  if (!/^[a-z][a-z0-9-]*$/.test(lock)) {
    throw new Error(`"${lock}" is not a lock name`);
  }
  const seconds = String(timeout);
  return (
    `sudo=; [ "$(id -u)" = 0 ] || sudo='sudo -n'; ` +
    `exec $sudo timeout -k 10 ${seconds} flock -o -w ${seconds} /run/podnet-${lock}.lock ` +
    `bash -euo pipefail -c ${quote(script)}`
  );
}
