import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type * as Automation from "@pulumi/pulumi/automation";
import { messageOf } from "../../components/args/validate";
import { must } from "../host/exec";
import { LiveLines } from "../host/live";
import type { ClonePaths } from "../host/paths";
import { hasBackend, openWorkspace } from "./backend";
import { STACK } from "./env";
import { assertStale } from "./lock";
import type { Deployment } from "./state";
import { isCheck, isOwn, liveLines, plannedText, problemText, Update } from "./update";
import { configChanges, configState, readWritten } from "../host/written";

/** Most resources that are shown at once while an update runs. */
const MOST_SHOWN = 8;

/** How an update ended. */
export interface Ended {
  readonly succeeded: boolean;
  /** Whether it changed anything. */
  readonly changed: boolean;
  /** Whether the connectivity check ran in it, and passed. */
  readonly proven: boolean;
}

/** A state as the CLI exports it. */
interface Exported {
  readonly version: number;
  readonly deployment: Deployment;
}

/** A clone's stack, driven by Pulumi's Automation API. */
export class Stack {
  private constructor(
    private readonly paths: ClonePaths,
    private readonly api: typeof Automation,
    private readonly stack: Automation.Stack,
    private readonly select: () => Promise<void>,
  ) {
    // After each update the API reads outputs and history by three more calls of the CLI. The events have said all of that.
    stack.outputs = () => Promise.resolve({});
    stack.info = () => Promise.resolve(undefined);
  }

  /** A clone's stack; backend and passphrase are made where they are missing, the stack itself when it is first needed. */
  static async ensure(paths: ClonePaths, env: Readonly<Record<string, string>>): Promise<Stack> {
    mkdirSync(paths.state, { recursive: true });
    if (!existsSync(paths.passphrase)) {
      writeFileSync(paths.passphrase, `${randomBytes(32).toString("hex")}\n`, { mode: 0o600 });
    }
    return Stack.#open(paths, env);
  }

  /** Selects a clone's stack; undefined when there is none. */
  static async find(paths: ClonePaths, env: Readonly<Record<string, string>>): Promise<Stack | undefined> {
    if (!hasBackend(paths)) {
      return undefined;
    }
    const stack = await Stack.#open(paths, env);
    try {
      await stack.select();
      return stack;
    } catch (error) {
      if (error instanceof stack.api.StackNotFoundError) {
        return undefined;
      }
      throw error;
    }
  }

  static async #open(paths: ClonePaths, env: Readonly<Record<string, string>>): Promise<Stack> {
    const { api, workspace } = await openWorkspace(paths, env);
    // Every call names the stack. To select it takes a call of the CLI, which waits until there is a reason.
    const select = (): Promise<void> => api.LocalWorkspace.prototype.selectStack.call(workspace, STACK);
    workspace.selectStack = () => Promise.resolve();
    return new Stack(paths, api, await api.Stack.select(STACK, workspace), select);
  }

  /** One of podnet's settings in the stack's config; undefined when it is not set or no plain text. */
  async setting(key: string): Promise<string | undefined> {
    const value = (await this.#config())[`podnet:${key}`];
    return typeof value === "string" ? value : undefined;
  }

  /**
   * Writes settings into the stack's config, those that somebody changed since podnet wrote them left as they are. Does
   * nothing when nothing changed since the last time.
   */
  async configure(settings: Readonly<Record<string, string>>): Promise<void> {
    const written = readWritten(this.paths.writtenConfig);
    if (written.state === configState(await this.#config(), settings)) {
      return;
    }
    await this.#make();
    const now = Object.fromEntries(
      Object.entries(await this.stack.getAllConfig()).map(([key, { value }]) => [key.replace(/^podnet:/, ""), value]),
    );
    const changes = Object.entries(configChanges(settings, now, written.settings));
    if (changes.length > 0) {
      await this.stack.setAllConfig(
        Object.fromEntries(changes.map(([key, value]) => [`podnet:${key}`, { value, secret: false }])),
      );
    }
    const state = configState(await this.#config(), settings);
    writeFileSync(this.paths.writtenConfig, JSON.stringify({ state, settings }));
  }

  /**
   * Brings the stack to what the program declares, showing what happens. With `refresh`, what can be read anew, such as the cluster's
   * objects, is read first.
   */
  up(refresh = false): Promise<Ended> {
    return this.#run(new Update(), (options) => this.stack.up({ ...options, refresh }));
  }

  /** Destroys all the stack's resources, showing what happens. */
  async destroy(): Promise<Ended> {
    const exported = (await this.stack.exportStack()) as { deployment: { resources?: { urn: string }[] } };
    const { resources = [] } = exported.deployment;
    const count = resources.filter(({ urn }) => isOwn(urn)).length;
    return this.#run(new Update(count), (options) => this.stack.destroy(options));
  }

  /** Removes the stack and its history from the backend, whatever its state still has. Its config file stays. */
  async remove(): Promise<void> {
    await this.#cli("stack", "rm", "--yes", "--force", "--preserve-config");
  }

  /** The stack's state, secrets in the clear. Empty when there is no stack yet. */
  async state(): Promise<Deployment> {
    try {
      return (await this.stack.exportStack()).deployment as Deployment;
    } catch (error) {
      if (error instanceof this.api.StackNotFoundError) {
        return {};
      }
      throw new Error(commandText(messageOf(error)), { cause: error });
    }
  }

  /** Changes the stack's state. Its secrets stay sealed: the API's own export and import would write them in the clear to /tmp. */
  async editState(change: (state: Deployment) => Deployment): Promise<void> {
    const file = join(this.paths.dotPodnet, "edited-state.json");
    await this.#unlocked(async () => {
      const { version, deployment } = JSON.parse(await this.#cli("stack", "export")) as Exported;
      try {
        writeFileSync(file, JSON.stringify({ version, deployment: change(deployment) }), { mode: 0o600 });
        await this.#cli("stack", "import", "--file", file);
      } finally {
        rmSync(file, { force: true });
      }
    });
  }

  /** Runs the CLI on the stack and returns what it printed. */
  #cli(...args: string[]): Promise<string> {
    const { workDir, envVars } = this.stack.workspace;
    const env = { ...process.env, ...envVars };
    return must("pulumi", [...args, "--stack", STACK, "--non-interactive"], { cwd: workDir, env });
  }

  /** What the program declares and the stack has not, a line each; none when it is as declared. Changes nothing. */
  async drift(): Promise<string[]> {
    const update = new Update();
    const planned: string[] = [];
    try {
      await this.stack.preview({
        color: "never",
        onEvent: (event) => {
          update.take(event);
          planned.push(...plannedText(event));
        },
      });
    } catch (error) {
      const text = problemText(update.problems);
      throw new Error(text === "" ? commandText(messageOf(error)) : text, { cause: error });
    }
    return planned;
  }

  /** How the stack's last update ended, as Pulumi has it: such as `succeeded` or `failed`, and when. Undefined before the first. */
  async lastUpdate(): Promise<{ readonly result: string; readonly at: Date } | undefined> {
    const [last] = await this.stack.history(1);
    return last && { result: last.result, at: last.endTime };
  }

  /** The stack's config as its file has it, without a call of the CLI, which takes long. */
  async #config(): Promise<Readonly<Record<string, unknown>>> {
    try {
      return (await this.stack.workspace.stackSettings(STACK)).config ?? {};
    } catch {
      // There is no file before something is set.
      return {};
    }
  }

  /** Selects the stack, which is made first where it is missing. */
  async #make(): Promise<void> {
    try {
      await this.select();
    } catch (error) {
      if (!(error instanceof this.api.StackNotFoundError)) {
        throw error;
      }
      await this.stack.workspace.createStack(STACK);
    }
  }

  /** Does what needs the stack's lock. One that an ended process left is freed first. */
  async #unlocked(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const message = messageOf(error);
      if (!message.includes("currently locked")) {
        throw error;
      }
      assertStale(message);
      await this.stack.cancel();
      await work();
    }
  }

  /** Runs an update to its end. A lock that an ended process left is freed first. */
  async #run(update: Update, work: (options: Automation.UpOptions) => Promise<unknown>): Promise<Ended> {
    try {
      await this.#show(update, work);
    } catch (error) {
      if (error instanceof this.api.ConcurrentUpdateError) {
        assertStale(error.message);
        await this.stack.cancel();
        return this.#run(new Update(update.total), work);
      }
      if (error instanceof this.api.StackNotFoundError) {
        await this.#make();
        return this.#run(new Update(update.total), work);
      }
      const text = problemText(update.problems);
      new LiveLines().keep(["", text === "" ? commandText(messageOf(error)) : text]);
      return { succeeded: false, changed: update.changed, proven: false };
    }
    return { succeeded: true, changed: update.changed, proven: update.finished.some(isCheck) };
  }

  async #show(update: Update, work: (options: Automation.UpOptions) => Promise<unknown>): Promise<void> {
    const live = new LiveLines();
    const started = Date.now();
    const timer = setInterval(
      () => live.show(liveLines(update, started, Date.now(), MOST_SHOWN)),
      live.isTerminal ? 250 : 1000,
    );
    // A terminal's interrupt reaches Pulumi too, which ends in good order: podnet waits for it. One for podnet alone is passed on.
    const stop = new AbortController();
    const interrupted = (): void => undefined;
    const terminated = (): void => stop.abort();
    process.on("SIGINT", interrupted).on("SIGTERM", terminated);
    try {
      await work({ color: "never", signal: stop.signal, onEvent: (event) => live.keep(update.take(event)) });
    } finally {
      process.off("SIGINT", interrupted).off("SIGTERM", terminated);
      clearInterval(timer);
      live.clear();
    }
  }
}

/** What the CLI says went wrong, where no event did: its errors, else the end of what it printed. */
function commandText(message: string): string {
  const lines = message.split("\n").map((line) => line.replace(/^ *stderr: /, ""));
  const first = lines.findIndex((line) => line.startsWith("error: "));
  const told = first < 0 ? lines.slice(-15) : lines.slice(first);
  return told.filter((line) => !/^ *(err\?|stdout|code): /.test(line)).join("\n");
}
