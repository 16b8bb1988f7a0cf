import type { EngineEvent, StepEventMetadata } from "@pulumi/pulumi/automation";
import { duration } from "../host/progress";

/** A resource on which the engine is at work. */
export interface RunningStep {
  readonly name: string;
  /** What is being done to it, such as `creating`. */
  readonly doing: string;
  readonly started: number;
  /** The last that was heard of it. */
  readonly message: string;
}

/** What went wrong, whole, and with which resource. */
export interface Problem {
  /** The resource, as `name (type)`; empty when it is no resource's. */
  readonly resource: string;
  readonly message: string;
}

/** A resource that was changed, and how long that took. */
export interface FinishedStep {
  readonly name: string;
  readonly op: string;
  readonly seconds: number;
}

const WORDS: Readonly<Record<string, readonly [doing: string, done: string]>> = {
  create: ["creating", "created"],
  "create-replacement": ["creating anew", "created anew"],
  update: ["updating", "updated"],
  delete: ["deleting", "deleted"],
  "delete-replaced": ["deleting", "deleted, being replaced"],
  read: ["reading", "read"],
  refresh: ["reading", "read again"],
  import: ["importing", "imported"],
};

/** Steps of which a reader need hear nothing: what stays, and the engine's own bookkeeping. */
function isSilent(op: string): boolean {
  return !(op in WORDS);
}

/** Name of a URN's resource, which may itself hold `::`. */
function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

function typeOf(urn: string): string {
  return urn.split("::")[2]?.split("$").at(-1) ?? "";
}

/** Whether a resource is the program's own; providers that the engine makes by itself are nobody's. */
export function isOwn(urn: string): boolean {
  return !(typeOf(urn).startsWith("pulumi:providers:") && nameOf(urn).startsWith("default"));
}

/** The SDK's debug message when a resource is constructed, which comes long before its step where it waits for others. */
const REGISTERING = /^Registering resource: t=(\S+), name=(.+), custom=/;

/** What an update has done so far, as the engine's events tell it. Returns lines for the reader; prints nothing itself. */
export class Update {
  readonly problems: Problem[] = [];
  readonly finished: FinishedStep[] = [];
  /** Numbers of changes by kind, such as `{ same: 49 }`; undefined until the engine has ended. */
  changes: Readonly<Record<string, number>> | undefined;
  readonly #steps = new Map<string, RunningStep>();
  readonly #known = new Set<string>();
  readonly #done = new Set<string>();
  readonly #said = new Set<string>();

  /** `expected` is a number of resources that is known before, 0 where none is. */
  constructor(private readonly expected = 0) {}

  /** Number of resources that are done. */
  get done(): number {
    return this.#done.size;
  }

  /** Number of resources that are known; the program may still come up with more. */
  get total(): number {
    return Math.max(this.expected, this.#known.size);
  }

  /** Resources that the engine is at work on, those first that have taken longest. */
  get running(): readonly RunningStep[] {
    return [...this.#steps.values()];
  }

  /** Whether anything was changed. */
  get changed(): boolean {
    return Object.entries(this.changes ?? {}).some(([kind, count]) => kind !== "same" && count > 0);
  }

  /** Takes an event in, and returns the lines that it is worth to a reader. `now` is in milliseconds. */
  take(event: EngineEvent, now = Date.now()): string[] {
    if (event.resourcePreEvent) {
      return this.#start(event.resourcePreEvent.metadata, now);
    }
    if (event.resOutputsEvent) {
      return this.#finish(event.resOutputsEvent.metadata, now, false);
    }
    if (event.resOpFailedEvent) {
      return this.#finish(event.resOpFailedEvent.metadata, now, true);
    }
    if (event.summaryEvent) {
      this.changes = event.summaryEvent.resourceChanges;
    }
    if (event.diagnosticEvent) {
      const { urn, message, severity, ephemeral } = event.diagnosticEvent;
      return this.#hear(urn ?? "", plainText(message), severity, ephemeral === true);
    }
    return [];
  }

  #start({ op, urn, new: after, old: before }: StepEventMetadata, now: number): string[] {
    if (isOwn(urn)) {
      this.#known.add(keyOf(urn));
    }
    // A component is at work as long as its children are, which says nothing.
    if (!isSilent(op) && (after ?? before)?.custom && isOwn(urn)) {
      this.#steps.set(urn, { name: nameOf(urn), doing: WORDS[op]?.[0] ?? op, started: now, message: "" });
    }
    return [];
  }

  #finish({ op, urn }: StepEventMetadata, now: number, failed: boolean): string[] {
    const step = this.#steps.get(urn);
    this.#steps.delete(urn);
    if (isOwn(urn)) {
      this.#known.add(keyOf(urn));
      this.#done.add(keyOf(urn));
    }
    if (!step) {
      return [];
    }
    const seconds = (now - step.started) / 1000;
    if (failed) {
      return [`${this.#count()} ${step.name} FAILED: ${duration(seconds)}`];
    }
    this.finished.push({ name: step.name, op, seconds });
    return [`${this.#count()} ${step.name} ${WORDS[op]?.[1] ?? op}: ${duration(seconds)}`];
  }

  #hear(urn: string, message: string, severity: string, ephemeral: boolean): string[] {
    if (severity === "debug") {
      const [, type, name] = REGISTERING.exec(message) ?? [];
      if (type !== undefined && name !== undefined) {
        this.#known.add(`${type} ${name}`);
      }
      return [];
    }
    if (severity === "error") {
      this.problems.push({ resource: urn === "" ? "" : `${nameOf(urn)} (${typeOf(urn)})`, message });
      return [];
    }
    if (severity === "warning") {
      const line = `warning: ${urn === "" ? "" : `${nameOf(urn)}: `}${message}`;
      const fresh = !this.#said.has(line);
      this.#said.add(line);
      return fresh ? [line] : [];
    }
    const step = this.#steps.get(urn);
    if (step && ephemeral) {
      this.#steps.set(urn, { ...step, message: message.trim() });
    }
    // An indented line is part of a report that a command prints. Other lines are progress, each in place of the last.
    const report = /^\s+\S/.test(message) || !ephemeral;
    return message.trim() !== "" && report ? message.split("\n") : [];
  }

  #count(): string {
    return `[${this.done}/${this.total}]`;
  }
}

/** Whether a step that ended was a run of the ready program's connectivity check. */
export function isCheck({ name, op }: FinishedStep): boolean {
  return name === "connectivity-run" && op !== "delete" && op !== "delete-replaced";
}

/** What a preview's event says will be done to a resource of the program, as `update network-on-w1`; nothing for one that stays. */
export function plannedText(event: EngineEvent): string[] {
  const { op, urn, new: after, old: before } = event.resourcePreEvent?.metadata ?? {};
  return op !== undefined &&
    urn !== undefined &&
    !["same", "read", "refresh", "read-replacement"].includes(op) &&
    (after ?? before)?.custom === true &&
    isOwn(urn)
    ? [`${op} ${nameOf(urn)}`]
    : [];
}

/** A resource as both its step and the SDK's message name it: a type and a name. */
function keyOf(urn: string): string {
  return `${typeOf(urn)} ${nameOf(urn)}`;
}

/** A message without the engine's marks for colours and without newlines at its end. */
function plainText(message: string): string {
  return message.replace(/<\{%.*?%\}>/g, "").trimEnd();
}

/** What a reader is told at the end of an update that failed: each problem whole, under its resource's name. */
export function problemText(problems: readonly Problem[]): string {
  // The engine adds this to every failure.
  const own = problems.filter(({ message }) => !/^(update|destroy|preview) failed$/.test(message));
  return (own.length > 0 ? own : problems)
    .map(({ resource, message }) =>
      [...(resource === "" ? [] : [`${resource}:`]), ...message.split("\n").map((line) => `  ${line}`)].join("\n"),
    )
    .join("\n\n");
}

/** A few lines about an update that is at work: how many of how many, seconds, and what takes longest. */
export function liveLines(update: Update, started: number, now: number, most: number): string[] {
  const seconds = (since: number): string => duration((now - since) / 1000);
  const shown = update.running.slice(0, most);
  const more = update.running.length - shown.length;
  return [
    `[${update.done}/${update.total}] ${seconds(started)}`,
    ...shown.map(
      ({ name, doing, started: since, message }) =>
        `  ${doing} ${name}: ${seconds(since)}${message === "" ? "" : `  ${message}`}`,
    ),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}
