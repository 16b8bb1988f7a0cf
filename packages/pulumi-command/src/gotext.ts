import { constants } from "node:os";

/** Quotes a text the way Go's `%q` does, which is how the official provider shows a command in its errors. */
export function quote(text: string): string {
  const named: Record<string, string> = {
    "\u0007": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
  };
  const characters = Array.from(text, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (named[character] !== undefined) {
      return named[character];
    }
    if (/[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(character)) {
      return character;
    }
    if (code < 0x80) {
      return `\\x${code.toString(16).padStart(2, "0")}`;
    }
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`;
  });
  return `"${characters.join("")}"`;
}

const errnoTexts: Record<string, string> = {
  EACCES: "permission denied",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by peer",
  EEXIST: "file exists",
  EHOSTUNREACH: "no route to host",
  EISDIR: "is a directory",
  ELOOP: "too many levels of symbolic links",
  EMFILE: "too many open files",
  ENETUNREACH: "network is unreachable",
  ENOENT: "no such file or directory",
  ENOEXEC: "exec format error",
  ENOTDIR: "not a directory",
  EPERM: "operation not permitted",
  EPIPE: "broken pipe",
  ETIMEDOUT: "connection timed out",
  // What Node says of a text with a NUL in it.
  ERR_INVALID_ARG_VALUE: "invalid argument",
  E2BIG: "argument list too long",
};

/** What a system error says, in the C library's words where they are known. */
export function systemErrorText(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return errnoTexts[code] ?? (error instanceof Error ? error.message : String(error));
}

const signalTexts: Partial<Record<NodeJS.Signals, string>> = {
  SIGHUP: "hangup",
  SIGINT: "interrupt",
  SIGQUIT: "quit",
  SIGILL: "illegal instruction",
  SIGTRAP: "trace/breakpoint trap",
  SIGABRT: "aborted",
  SIGBUS: "bus error",
  SIGFPE: "floating point exception",
  SIGKILL: "killed",
  SIGUSR1: "user defined signal 1",
  SIGSEGV: "segmentation fault",
  SIGUSR2: "user defined signal 2",
  SIGPIPE: "broken pipe",
  SIGALRM: "alarm clock",
  SIGTERM: "terminated",
};

/** How a local process ended, in the words of Go's `os/exec`; undefined when it succeeded. */
export function localExit(code: number | null, signal: NodeJS.Signals | null): string | undefined {
  if (signal !== null) {
    return `signal: ${signalTexts[signal] ?? `signal ${constants.signals[signal]}`}`;
  }
  return code === 0 ? undefined : `exit status ${code ?? -1}`;
}

const remoteSignals: ReadonlySet<string> = new Set(
  ["ABRT", "ALRM", "FPE", "HUP", "ILL", "INT", "KILL", "PIPE", "QUIT", "SEGV", "TERM"].map((name) => `SIG${name}`),
);

/** How a remote process ended, as the SSH server told it. */
export interface RemoteExit {
  /** Exit status; null when it was ended by a signal. */
  readonly code: number | null;
  readonly signal?: string;
  readonly description?: string;
}

/** How a remote process ended, in the words of Go's SSH package; undefined when it succeeded. */
export function remoteExit(exit: RemoteExit): string | undefined {
  if (exit.code === 0) {
    return undefined;
  }
  if (exit.code !== null) {
    return `Process exited with status ${exit.code}`;
  }
  const signal = exit.signal ?? "";
  const number = remoteSignals.has(signal) ? (constants.signals as Record<string, number>)[signal] : 0;
  const reason = exit.description ? `. Reason was: ${exit.description}` : "";
  return `Process exited with status ${128 + (number ?? 0)} from signal ${signal.replace(/^SIG/, "")}${reason}`;
}

/** Drops one newline from the end of a text. */
export function trimNewline(text: string): string {
  return text.endsWith("\n") ? text.slice(0, -1) : text;
}
