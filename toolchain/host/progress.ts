/** Shows what long work does: what, how far, how long still. */
export class Progress {
  #step: { readonly text: string; readonly started: number; readonly estimate: number } | undefined;
  #lastLine = 0;

  /** `stream` is where it is shown; on a terminal one line is rewritten, elsewhere a line follows every 15 s. */
  constructor(private readonly stream: NodeJS.WriteStream = process.stderr) {}

  /** Says one thing. */
  say(text: string): void {
    this.#clear();
    this.stream.write(`${text}\n`);
  }

  /** Does one step of known length (in seconds, 0 for unknown) and shows it while it lasts. Returns what the step returns. A step may have steps of its own. */
  async step<T>(text: string, estimate: number, work: () => Promise<T>): Promise<T> {
    const started = Date.now();
    const outer = this.#step;
    this.#step = { text, started, estimate };
    this.#lastLine = started;
    if (!this.stream.isTTY) {
      this.stream.write(`${text}${estimate >= 5 ? ` (about ${duration(estimate)})` : ""}\n`);
    }
    const timer = setInterval(() => this.#show(), this.stream.isTTY ? 250 : 1000);
    try {
      return await work();
    } finally {
      clearInterval(timer);
      this.#clear();
      this.#step = outer;
      const seconds = (Date.now() - started) / 1000;
      if (seconds >= 1 || this.stream.isTTY) {
        this.stream.write(`${text}: ${duration(seconds)}\n`);
      }
    }
  }

  #show(): void {
    const step = this.#step;
    if (!step) {
      return;
    }
    const seconds = (Date.now() - step.started) / 1000;
    const line = progressLine(step.text, seconds, step.estimate);
    if (this.stream.isTTY) {
      this.stream.write(`\r\u001b[2K${line.slice(0, (this.stream.columns || 80) - 1)}`);
    } else if (Date.now() - this.#lastLine >= 15_000) {
      this.#lastLine = Date.now();
      this.stream.write(`${line}\n`);
    }
  }

  #clear(): void {
    if (this.stream.isTTY && this.#step) {
      this.stream.write("\r\u001b[2K");
    }
  }
}

/** One line about a step that has lasted for `seconds` of about `estimate`. */
export function progressLine(text: string, seconds: number, estimate: number): string {
  const left = estimate - seconds;
  const rest = estimate <= 0 ? "" : left > 0 ? `, about ${duration(left)} left` : ", longer than usual";
  return `${text}: ${duration(seconds)}${rest}`;
}

/** A number of seconds for a reader: `4.2 s`, `38 s`, `2 min 05 s`. */
export function duration(seconds: number): string {
  if (seconds < 10) {
    return `${seconds.toFixed(1)} s`;
  }
  const whole = Math.round(seconds);
  return whole < 60
    ? `${String(whole)} s`
    : `${String(Math.floor(whole / 60))} min ${String(whole % 60).padStart(2, "0")} s`;
}
