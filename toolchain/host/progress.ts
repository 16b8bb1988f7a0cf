/** A step that is under way. */
interface Step {
  readonly text: string;
  readonly started: number;
  readonly estimate: number;
}

/** Shows what long work does: what, how far, how long still. Steps may run at the same time and inside each other. */
export class Progress {
  readonly #steps = new Set<Step>();
  #lastLine = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `stream` is where it is shown; on a terminal one line is rewritten, elsewhere a line follows every 15 s. */
  constructor(private readonly stream: NodeJS.WriteStream = process.stderr) {}

  /** Says one thing. */
  say(text: string): void {
    this.#clear();
    this.stream.write(`${text}\n`);
  }

  /** Does one step of known length (in seconds, 0 for unknown) and shows it while it lasts. Returns what the step returns. */
  async step<T>(text: string, estimate: number, work: () => Promise<T>): Promise<T> {
    const step: Step = { text, started: Date.now(), estimate };
    if (this.#steps.size === 0) {
      this.#lastLine = step.started;
      this.#timer = setInterval(() => this.#show(), this.stream.isTTY ? 250 : 1000);
    }
    this.#steps.add(step);
    if (!this.stream.isTTY) {
      this.stream.write(`${text}${estimate >= 5 ? ` (about ${duration(estimate)})` : ""}\n`);
    }
    try {
      return await work();
    } finally {
      this.#clear();
      this.#steps.delete(step);
      if (this.#steps.size === 0) {
        clearInterval(this.#timer);
      }
      const seconds = (Date.now() - step.started) / 1000;
      if (seconds >= 1 || this.stream.isTTY) {
        this.stream.write(`${text}: ${duration(seconds)}\n`);
      }
    }
  }

  #show(): void {
    const now = Date.now();
    if (this.stream.isTTY) {
      // One line has room for one step and a word about the others: the one that lasts longest is waited for.
      const [first, ...others] = [...this.#steps].sort((a, b) => end(b) - end(a));
      if (first) {
        const line = progressLine(first.text, (now - first.started) / 1000, first.estimate);
        const more = others.length > 0 ? ` (and ${others.map(({ text }) => text).join(", ")})` : "";
        this.stream.write(`\r\u001b[2K${`${line}${more}`.slice(0, (this.stream.columns || 80) - 1)}`);
      }
    } else if (now - this.#lastLine >= 15_000) {
      this.#lastLine = now;
      // A short step has its line when it ends; one for each of several at once would bury the long one.
      const due = [...this.#steps].filter(({ started }) => now - started >= 10_000);
      for (const { text, started, estimate } of due) {
        this.stream.write(`${progressLine(text, (now - started) / 1000, estimate)}\n`);
      }
    }
  }

  #clear(): void {
    if (this.stream.isTTY && this.#steps.size > 0) {
      this.stream.write("\r\u001b[2K");
    }
  }
}

/** When a step ends if it lasts as long as it is thought to. */
function end({ started, estimate }: Step): number {
  return started + estimate * 1000;
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
