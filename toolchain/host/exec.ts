import { spawn, type StdioOptions } from "node:child_process";

/** How a program ended and what it printed. */
export interface RunResult {
  /** Exit code; 127 when the program is not there, 128 plus the signal's number is not used: a signal counts as 1. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where and with what a program runs. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Text for standard input; without it the input is empty. */
  readonly input?: string;
  /** Called for each complete line of either output as it comes. */
  readonly onLine?: (line: string) => void;
  /** Passes both outputs on to the terminal as they come, and still returns them. */
  readonly echo?: boolean;
}

/** Runs a program to its end and returns its exit code and outputs. A program that is missing counts as exit code 127. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve) => {
    const stdio: StdioOptions = [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"];
    const child = spawn(command, args, { cwd: options.cwd, env: options.env ?? process.env, stdio });
    // A terminal's interrupt reaches the child too, since it is in the same process group: podnet waits for the child
    // to end in good order. A polite request to podnet alone is passed on.
    const interrupted = (): void => undefined;
    const terminated = (): void => void child.kill("SIGINT");
    process.on("SIGINT", interrupted).on("SIGTERM", terminated);
    const texts = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      let rest = "";
      child[name]?.setEncoding("utf8").on("data", (chunk: string) => {
        texts[name] += chunk;
        if (options.echo) {
          process[name].write(chunk);
        }
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        lines.forEach((line) => options.onLine?.(line));
      });
    }
    const finish = (code: number): void => {
      process.off("SIGINT", interrupted).off("SIGTERM", terminated);
      resolve({ code, ...texts });
    };
    child.on("error", (error) => {
      texts.stderr += error.message;
      finish(127);
    });
    child.on("close", (code) => finish(code ?? 1));
    child.stdin?.on("error", () => undefined).end(options.input);
  });
}

/** Runs a program that has to succeed and returns its standard output. Throws with the end of what it printed. */
export async function must(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(command, args, options);
  if (result.code !== 0) {
    const tail = (result.stderr.trim() || result.stdout.trim()).split("\n").slice(-15).join("\n  ");
    throw new Error(`${[command, ...args.slice(0, 3)].join(" ")} failed (exit code ${result.code}):\n  ${tail}`);
  }
  return result.stdout;
}

/** The lines of a program's output that hold something. */
export function lines(output: string): string[] {
  return output.split("\n").filter((line) => line !== "");
}
