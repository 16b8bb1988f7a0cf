/** How urgent a message to the user is. */
export type Severity = "debug" | "info" | "warning" | "error";

/** What a running operation has from its request: where it logs, and when it has to give up. */
export interface Operation {
  /** Sends one message to the engine. A `status` message is shown only while it is the resource's latest. */
  log(severity: Severity, message: string, status?: boolean): Promise<void>;
  /** Aborted on the engine's cancel (`context canceled`) and at the resource's custom timeout (`context deadline exceeded`). */
  readonly signal: AbortSignal;
}

/** Why an operation was given up, in the official provider's words. */
export function abortText(signal: AbortSignal): string {
  return signal.reason instanceof Error ? signal.reason.message : "context canceled";
}

/** Longest piece of a line that is logged as one message, in bytes. A longer line is logged in several. */
export const longestMessage = 64 * 1024;
/** Number of unsent messages at which the command's output is held back. */
const manyUnsent = 256;

/** Something that can be held back while messages are being sent. */
interface Pausable {
  pause(): unknown;
  resume(): unknown;
}

/**
 * Collects a command's output and logs it line by line while it comes. Which of the two streams is logged is the
 * property `logging`; both are always kept.
 */
export class Output {
  readonly #kept: Record<"stdout" | "stderr" | "both", Buffer[]> = { stdout: [], stderr: [], both: [] };
  readonly #sources = new Set<Pausable>();
  #line: Buffer[] = [];
  #lineBytes = 0;
  #unsent = 0;
  #sending: Promise<void> = Promise.resolve();

  constructor(
    private readonly operation: Operation,
    private readonly logging: string | undefined,
  ) {}

  /** Takes everything that one stream of the command gives. */
  take(name: "stdout" | "stderr", source: NodeJS.ReadableStream): void {
    this.#sources.add(source);
    const logged = this.logging === undefined || this.logging === name || this.logging === "stdoutAndStderr";
    source.on("data", (chunk: Buffer | string) => {
      const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
      this.#kept[name].push(bytes);
      this.#kept.both.push(bytes);
      if (logged) {
        this.#split(bytes);
      }
    });
    source.on("end", () => this.#sources.delete(source));
  }

  /** Text of one stream so far, or of both in the order in which they came. */
  text(name: "stdout" | "stderr" | "both"): string {
    return Buffer.concat(this.#kept[name]).toString("utf8");
  }

  /** Logs what is left of the last line and waits until every message has been sent. */
  async finish(): Promise<void> {
    if (this.#lineBytes > 0) {
      this.#endLine();
    }
    await this.#sending;
  }

  #split(bytes: Buffer): void {
    let start = 0;
    while (start < bytes.length) {
      const newline = bytes.indexOf(0x0a, start);
      const room = start + longestMessage - this.#lineBytes;
      const end = newline === -1 || newline > room ? Math.min(bytes.length, room) : newline;
      this.#line.push(bytes.subarray(start, end));
      this.#lineBytes += end - start;
      start = end;
      if (end === newline) {
        this.#endLine();
        start++;
      } else if (this.#lineBytes >= longestMessage) {
        this.#endLine();
      }
    }
  }

  #endLine(): void {
    const message = Buffer.concat(this.#line).toString("utf8").replace(/\r$/, "");
    this.#line = [];
    this.#lineBytes = 0;
    if (++this.#unsent === manyUnsent) {
      this.#sources.forEach((source) => source.pause());
    }
    this.#sending = this.#sending.then(async () => {
      await this.operation.log("info", message, true);
      if (this.#unsent-- === manyUnsent) {
        this.#sources.forEach((source) => source.resume());
      }
    });
  }
}
