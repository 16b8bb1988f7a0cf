import { spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { join } from "node:path";
import { findAssets } from "./assets";
import { localExit, quote, systemErrorText, trimNewline } from "./gotext";
import { Output, type Operation } from "./operation";
import { signatureKey, signatures, type Value, type ValueMap } from "./value";

/** Inputs of a local command, known and without secret wrapping. */
export interface LocalInputs {
  readonly stdin?: string;
  readonly logging?: string;
  readonly interpreter?: readonly string[];
  readonly dir?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly assetPaths?: readonly string[];
  readonly archivePaths?: readonly string[];
  readonly addPreviousOutputInEnv?: boolean;
}

/** What a command printed before, or has printed now. */
export interface CommandOutput {
  readonly stdout: string;
  readonly stderr: string;
}

/** Variables that hand a command its predecessor's output; an empty output is left out. */
export function previousOutput(
  inputs: { addPreviousOutputInEnv?: boolean },
  previous: CommandOutput,
): Map<string, string> {
  const variables = new Map<string, string>();
  if (inputs.addPreviousOutputInEnv !== false) {
    if (previous.stdout !== "") {
      variables.set("PULUMI_COMMAND_STDOUT", previous.stdout);
    }
    if (previous.stderr !== "") {
      variables.set("PULUMI_COMMAND_STDERR", previous.stderr);
    }
  }
  return variables;
}

/** Runs a local command to its end. Returns stdout, stderr and, where paths were asked for, assets and an archive. */
export async function runLocal(
  operation: Operation,
  command: string,
  inputs: LocalInputs,
  previous: CommandOutput,
): Promise<ValueMap> {
  const output = new Output(operation, inputs.logging);
  const dir = inputs.dir ?? process.cwd();
  const failure = await execute(operation, command, inputs, previous, output, dir).catch((error: unknown) =>
    error instanceof Error ? error.message : String(error),
  );
  await output.finish();
  if (failure !== undefined) {
    throw new Error(`${failure}: running ${quote(command)}:\n${output.text("both")}`);
  }
  const results: Record<string, Value> = {};
  if (inputs.assetPaths) {
    results["assets"] = await findAssets(dir, inputs.assetPaths);
  }
  if (inputs.archivePaths) {
    results["archive"] = {
      [signatureKey]: signatures.archive,
      assets: await findAssets(dir, inputs.archivePaths),
    };
  }
  return { ...results, stdout: trimNewline(output.text("stdout")), stderr: trimNewline(output.text("stderr")) };
}

/** Finds a program as the official provider does: on this process's own PATH, whatever the command's environment says. */
function findProgram(name: string): string {
  if (name === "") {
    throw new Error("exec: no command");
  }
  if (name.includes("/")) {
    return name;
  }
  for (const dir of (process.env["PATH"] ?? "").split(":")) {
    const path = join(dir || ".", name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) {
        return path;
      }
    } catch {
      // Not here: the next folder of PATH.
    }
  }
  throw new Error(`exec: ${quote(name)}: executable file not found in $PATH`);
}

/** Refuses, in the words of Go's `os/exec`, what Node would refuse in its own. */
function checkStart(program: string, words: readonly string[], dir: string, environment: NodeJS.ProcessEnv): void {
  const hasNul = (text: string | undefined): boolean => text?.includes("\0") === true;
  if (Object.entries(environment).flat().some(hasNul)) {
    throw new Error("exec: environment variable contains NUL");
  }
  let isFolder: boolean;
  try {
    isFolder = statSync(dir).isDirectory();
  } catch (error) {
    throw new Error(`chdir ${dir}: ${systemErrorText(error)}`, { cause: error });
  }
  if ([program, ...words].some(hasNul)) {
    throw new Error(`fork/exec ${program}: invalid argument`);
  }
  if (!isFolder) {
    throw new Error(`fork/exec ${program}: not a directory`);
  }
}

function execute(
  operation: Operation,
  command: string,
  inputs: LocalInputs,
  previous: CommandOutput,
  output: Output,
  dir: string,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const [name = "", ...args] = inputs.interpreter?.length ? inputs.interpreter : ["/bin/sh", "-c"];
    const program = findProgram(name);
    if (operation.signal.aborted) {
      throw operation.signal.reason;
    }
    const cwd = dir || process.cwd();
    const env = { ...process.env, ...inputs.environment, ...Object.fromEntries(previousOutput(inputs, previous)) };
    checkStart(program, [...args, command], cwd, env);
    const child = spawn(program, [...args, command], {
      argv0: name,
      cwd,
      env,
      stdio: [inputs.stdin ? "pipe" : "ignore", "pipe", "pipe"],
    });
    const kill = (): void => void child.kill("SIGKILL");
    operation.signal.addEventListener("abort", kill);
    child.on("error", (error) => {
      operation.signal.removeEventListener("abort", kill);
      resolve(`fork/exec ${program}: ${systemErrorText(error)}`);
    });
    child.on("close", (code, signal) => {
      operation.signal.removeEventListener("abort", kill);
      resolve(localExit(code, signal));
    });
    for (const stream of ["stdout", "stderr"] as const) {
      const source = child[stream];
      if (source) {
        output.take(stream, source);
      }
    }
    // A command need not read its input: that it closed the pipe is no error.
    child.stdin?.on("error", () => undefined).end(inputs.stdin);
  });
}
