import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { must, run, type RunResult } from "../host/exec";
import type { ClonePaths } from "../host/paths";
import type { Toolchain } from "../supply/toolchain";

/** Name of the stack that the make targets use. */
export const STACK = "lab";

/** Environment in which plain `pulumi` works on a clone's stack. */
export function stackEnv(
  paths: ClonePaths,
  toolchain: Pick<Toolchain, "binDirs">,
  dockerHost: string | undefined,
): Record<string, string> {
  return {
    PATH: [...toolchain.binDirs, process.env["PATH"] ?? ""].join(delimiter),
    PULUMI_HOME: paths.pulumiHome,
    PULUMI_BACKEND_URL: `file://${paths.state}`,
    PULUMI_CONFIG_PASSPHRASE_FILE: paths.passphrase,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    KUBECONFIG: paths.kubeconfig,
    ...(dockerHost !== undefined && { DOCKER_HOST: dockerHost }),
  };
}

/** Whether a clone's file backend has the stack. */
export function stackExists(paths: ClonePaths): boolean {
  return existsSync(join(paths.state, ".pulumi", "stacks", "podnet", `${STACK}.json`));
}

/** One clone's stack, driven by the Pulumi CLI. */
export class Stack {
  constructor(
    private readonly paths: ClonePaths,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  /** Runs the CLI and returns what it printed. */
  pulumi(args: readonly string[], echo = false): Promise<RunResult> {
    return run("pulumi", args, { cwd: this.paths.project, env: { ...process.env, ...this.env }, echo });
  }

  /** Whether the stack is there. */
  exists(): boolean {
    return stackExists(this.paths);
  }

  /** Makes backend, passphrase and stack where they are missing, and selects the stack. */
  async ensure(): Promise<void> {
    mkdirSync(this.paths.state, { recursive: true });
    if (!existsSync(this.paths.passphrase)) {
      writeFileSync(this.paths.passphrase, `${randomBytes(32).toString("hex")}\n`, { mode: 0o600 });
    }
    if (!this.exists()) {
      await this.#must(["stack", "init", STACK]);
    }
  }

  /** One of podnet's settings in the stack's config, a plain word; undefined when it is not set. */
  setting(key: string): string | undefined {
    // The CLI would take most of a second to say what the file says.
    const file = join(this.paths.project, `Pulumi.${STACK}.yaml`);
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    return new RegExp(`^ +podnet:${key}: *"?([a-z0-9-]+)"? *$`, "m").exec(text)?.[1];
  }

  /**
   * Writes settings into the stack's config, those that somebody changed since podnet wrote them left as they are. Does
   * nothing when nothing changed since the last time.
   */
  async configure(settings: Readonly<Record<string, string>>): Promise<void> {
    const file = join(this.paths.project, `Pulumi.${STACK}.yaml`);
    const state = (): string =>
      createHash("sha256")
        .update(existsSync(file) ? readFileSync(file) : "")
        .update(JSON.stringify(settings))
        .digest("hex");
    const written = readWritten(this.paths.writtenConfig);
    if (written.state === state()) {
      return;
    }
    const listed = JSON.parse(await this.#must(["config", "--json", "--stack", STACK])) as Record<
      string,
      { value?: string }
    >;
    const now = Object.fromEntries(
      Object.entries(listed).map(([key, { value }]) => [key.replace(/^podnet:/, ""), value]),
    );
    const changes = configChanges(settings, now, written.settings);
    if (Object.keys(changes).length > 0) {
      const pairs = Object.entries(changes).flatMap(([key, value]) => ["--plaintext", `podnet:${key}=${value}`]);
      await this.#must(["config", "set-all", "--stack", STACK, ...pairs]);
    }
    writeFileSync(this.paths.writtenConfig, JSON.stringify({ state: state(), settings }));
  }

  /** Frees the stack from the lock of a CLI that has ended without doing so itself. */
  async freeStaleLock(): Promise<void> {
    const folder = join(this.paths.state, ".pulumi", "locks", "organization", "podnet", STACK);
    const locks = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
    for (const name of locks) {
      const { pid } = JSON.parse(readFileSync(join(folder, name), "utf8")) as { pid: number };
      if (existsSync(`/proc/${String(pid)}`)) {
        throw new Error(`pulumi (process ${String(pid)}) is at work on this stack; wait for it to end`);
      }
    }
    if (locks.length > 0) {
      await this.#must(["cancel", "--yes", "--stack", STACK]);
    }
  }

  /** Numbers of changes by kind of the last update, such as `{ same: 49 }`. */
  lastChanges(): Record<string, number> {
    const folder = join(this.paths.state, ".pulumi", "history", "podnet", STACK);
    const last = readdirSync(folder)
      .filter((name) => name.endsWith(".history.json"))
      .sort()
      .at(-1);
    const read = last === undefined ? {} : (JSON.parse(readFileSync(join(folder, last), "utf8")) as object);
    return (read as { resourceChanges?: Record<string, number> }).resourceChanges ?? {};
  }

  /** The stack's outputs, secrets in the clear. */
  async outputs(): Promise<Record<string, unknown>> {
    const text = await this.#must(["stack", "output", "--json", "--show-secrets", "--stack", STACK]);
    return JSON.parse(text) as Record<string, unknown>;
  }

  #must(args: readonly string[]): Promise<string> {
    return must("pulumi", args, { cwd: this.paths.project, env: { ...process.env, ...this.env } });
  }
}

/** What podnet last wrote into a stack's config. */
export interface Written {
  readonly state?: string;
  readonly settings: Readonly<Record<string, string>>;
}

/** Reads what podnet last wrote into a stack's config; nothing when it has written none. */
export function readWritten(path: string): Written {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Written;
  } catch {
    return { settings: {} };
  }
}

/** What of `wanted` has to be written: what is not so already, and was not set to something else by somebody else. */
export function configChanges(
  wanted: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string | undefined>>,
  written: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(wanted).filter(([key, value]) => {
      const current = now[key];
      return current === undefined || (current !== value && current === written[key]);
    }),
  );
}
