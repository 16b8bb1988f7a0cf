/** What a command does when its resource is made and when it is deleted: Bash, run with `errexit`, `nounset` and `pipefail`. */
export interface Scripts {
  readonly create: string;
  readonly delete?: string;
}

/** One of the things that {@link Scripts} can do. */
export type Action = keyof Scripts;

/** Names the command that ended a script, as it is written there: variables are not expanded, so no value shows. */
const ON_ERROR = `set -E
trap 'code=$?; echo "exit code $code on $(hostname): \${BASH_COMMAND:0:200}" >&2' ERR
`;

/**
 * Scripts as the text for a command's standard input. They go that way because the plugin repeats a command that failed in
 * its error message, where a script would bury what went wrong, and because a command line has a limit.
 */
export function scriptText(scripts: Scripts): string {
  const functions = Object.entries(scripts).map(([action, script]) => `${action}() {\n${String(script)}\n}\n`);
  return ON_ERROR + functions.join("");
}

/** bash as it must be started for scripts: Debian's reads its rc file when sshd starts it, even for a command. */
const BASH = "bash --norc --noprofile -euo pipefail -c";

/** The command of this machine that does one of the things that it reads from standard input. */
export function localCommand(action: Action): string {
  return `exec ${BASH} 'eval "$(cat)"; ${action}'`;
}

/** How a command runs on a node. */
export interface RemoteOptions {
  /** Name of the lock that its runs take in turn: one per phase of a node. */
  readonly lock: string;
  /** Seconds until it is ended, and until a wait for the lock is given up. */
  readonly timeout: number;
}

/**
 * The command of a node that does one of the things that it reads from standard input: as root (by `sudo -n` where the user
 * is not), bounded in time, and one at a time, because a killed `pulumi up` leaves its script running and the next one
 * starts it again.
 */
export function remoteCommand(action: Action, { lock, timeout }: RemoteOptions): string {
  if (!/^[a-z][a-z0-9-]*$/.test(lock)) {
    throw new Error(`"${lock}" is not a lock name`);
  }
  const seconds = String(timeout);
  return (
    `sudo=; [ "$(id -u)" = 0 ] || sudo='sudo -n'; ` +
    `exec $sudo timeout -k 10 ${seconds} flock -o -w ${seconds} /run/podnet-${lock}.lock ${BASH} 'eval "$(cat)"; ${action}'`
  );
}
