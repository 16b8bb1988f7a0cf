/**
 * A few lines at the end of a terminal that are rewritten as work goes on, with lines above them that stay. Where the stream is
 * no terminal, the changing lines are joined into one that comes every 15 seconds at most.
 */
export class LiveLines {
  #shown = 0;
  #lastLine = Date.now();

  constructor(private readonly stream: NodeJS.WriteStream = process.stderr) {}

  /** Whether lines can be rewritten. */
  get isTerminal(): boolean {
    return this.stream.isTTY;
  }

  /** Writes lines that stay. */
  keep(lines: readonly string[]): void {
    if (lines.length > 0) {
      this.clear();
      this.#lastLine = Date.now();
      this.stream.write(`${lines.join("\n")}\n`);
    }
  }

  /** Shows lines in place of those shown last. */
  show(lines: readonly string[]): void {
    if (!this.stream.isTTY) {
      if (Date.now() - this.#lastLine >= 15_000) {
        this.keep([lines.map((line) => line.trim()).join("; ")]);
      }
      return;
    }
    const width = (this.stream.columns || 80) - 1;
    this.clear();
    this.stream.write(lines.map((line) => `${line.slice(0, width)}\n`).join(""));
    this.#shown = lines.length;
  }

  /** Takes the changing lines away. */
  clear(): void {
    if (this.#shown > 0) {
      this.stream.write(`\u001b[${this.#shown}A\u001b[J`);
      this.#shown = 0;
    }
  }
}
