import { randomBytes } from "node:crypto";
import { checkInputs, copySource, type Failure } from "./check";
import type { Connection } from "./connection";
import { runLocal, type CommandOutput, type LocalInputs } from "./local";
import type { Operation } from "./operation";
import type { RemoteInputs } from "./remote";
import { replacesOnChange, resourceTypes, runType, type Fields, type ResourceType } from "./types";
import {
  contains,
  differences,
  dropNulls,
  equal,
  isAsset,
  isMap,
  isSecret,
  isUnknown,
  makeSecret,
  plain,
  signatureKey,
  signatures,
  unknownValue,
  type Difference,
  type Value,
  type ValueMap,
} from "./value";

/** Type token of a URN. Throws for a resource that is not served. */
export function typeOf(urn: string): ResourceType {
  const token = urn.split("::")[2]?.split("$").at(-1) ?? "";
  if (!(token in resourceTypes)) {
    throw new Error(`unknown resource type ${token}: this stand-in serves ${Object.keys(resourceTypes).join(", ")}`);
  }
  return token as ResourceType;
}

/** Name of a URN's resource, which may itself hold `::`. */
function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

/** Properties that differ, by path, and whether each replaces the resource. */
export type Diff = ReadonlyMap<string, { readonly kind: Difference; readonly replaces: boolean }>;

/**
 * Compares a resource's old inputs with new ones. Without old inputs (an engine that does not send them) they are taken
 * from the state.
 */
export function diff(
  type: ResourceType,
  state: ValueMap,
  oldInputs: ValueMap | undefined,
  newInputs: ValueMap,
  ignoreChanges: readonly string[],
): Diff {
  const fields: Fields = resourceTypes[type].fields;
  const olds = oldInputs ?? Object.fromEntries(Object.entries(state).filter(([name]) => name in fields));
  const news = Object.fromEntries(
    Object.entries(withIgnored(state, newInputs, ignoreChanges)).filter(
      ([name]) => name !== "version" && !name.startsWith("__"),
    ),
  );
  return new Map(
    [...differences(dropNulls(olds), dropNulls(news))].map(([path, kind]) => [
      path,
      { kind, replaces: replacesOnChange(type, path) },
    ]),
  );
}

function withIgnored(state: ValueMap, inputs: ValueMap, ignoreChanges: readonly string[]): ValueMap {
  const kept = ignoreChanges.filter((name) => name in state).map((name) => [name, state[name] ?? null] as const);
  return { ...inputs, ...Object.fromEntries(kept) };
}

function previousOf(state: ValueMap): CommandOutput {
  const { stdout, stderr } = plain(state) as Partial<Record<string, unknown>>;
  return { stdout: typeof stdout === "string" ? stdout : "", stderr: typeof stderr === "string" ? stderr : "" };
}

const noOutput: CommandOutput = { stdout: "", stderr: "" };

/** Runs a command on the machine that its type names, and returns the outputs that it gave. */
async function runCommand(
  operation: Operation,
  type: ResourceType,
  command: string,
  inputs: ValueMap,
  previous: CommandOutput,
): Promise<ValueMap> {
  // Checked against the schema before, so the shapes are as declared.
  const known = plain(inputs);
  if (type === "command:local:Command") {
    return runLocal(operation, command, known as LocalInputs, previous);
  }
  // Loaded when first needed: most of the start time would otherwise go into the SSH library.
  const { runRemote } = await import("./remote.js");
  return { ...(await runRemote(operation, command, known as unknown as RemoteInputs, previous)) };
}

async function copy(operation: Operation, type: ResourceType, inputs: ValueMap): Promise<void> {
  const { copyToRemote } = await import("./copy.js");
  const { localPath, remotePath, connection } = plain(inputs) as unknown as {
    localPath: string;
    remotePath: string;
    connection: Connection;
  };
  const source =
    type === "command:remote:CopyFile" ? { path: localPath, exact: true } : copySource(plain(inputs["source"] ?? null));
  if (!source) {
    throw new Error("source must be a FileAsset, a StringAsset or a FileArchive");
  }
  await copyToRemote(operation, connection, source, remotePath);
}

function isCommand(type: ResourceType): boolean {
  return type === "command:local:Command" || type === "command:remote:Command";
}

function commandOf(inputs: ValueMap, name: "create" | "update" | "delete"): string | undefined {
  const command = plain(inputs[name] ?? null);
  return typeof command === "string" ? command : undefined;
}

/**
 * Inputs as outputs. The official provider finds no input in an output that holds an asset: it takes it for one of its own, which
 * is not known while `unknown`, and secret as a whole with a secret in it.
 */
function outputsOf(inputs: ValueMap, unknown: boolean): ValueMap {
  const output = (value: Value): Value => {
    if (!contains(value, isAsset)) {
      return value;
    }
    const secret = contains(value, isSecret);
    if (unknown) {
      return secret ? { [signatureKey]: signatures.output, secret } : unknownValue;
    }
    return secret ? makeSecret(value) : value;
  };
  return Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, output(value)]));
}

/** Creates a resource and returns its ID and state. A preview runs nothing and leaves what a command prints unknown. */
export async function create(
  operation: Operation,
  urn: string,
  properties: ValueMap,
  preview: boolean,
): Promise<{ id: string; state: ValueMap }> {
  const type = typeOf(urn);
  const inputs = dropNulls(properties);
  const suffix = randomBytes(4).toString("hex");
  if (!isCommand(type)) {
    if (preview) {
      return { id: "", state: outputsOf(inputs, true) };
    }
    await copy(operation, type, inputs);
    return { id: suffix, state: outputsOf(inputs, false) };
  }
  const id = `${nameOf(urn)}${suffix}`;
  if (preview) {
    return { id, state: { ...outputsOf(inputs, true), stdout: unknownValue, stderr: unknownValue } };
  }
  const command = commandOf(inputs, "create");
  const outputs = command === undefined ? {} : await runCommand(operation, type, command, inputs, noOutput);
  return { id, state: { ...outputsOf(inputs, false), ...noOutput, ...outputs } };
}

/** Hash of an asset or archive, by which alone a copy is told from another; empty for one without. */
function hashOf(source: Value | undefined): Value {
  const value = plain(source ?? null);
  return (isMap(value) ? value["hash"] : undefined) ?? "";
}

/** Updates a resource in place and returns its state. Commands run `update`, else `create`; copies copy what changed. */
export async function update(
  operation: Operation,
  urn: string,
  state: ValueMap,
  properties: ValueMap,
  preview: boolean,
  ignoreChanges: readonly string[],
): Promise<ValueMap> {
  const type = typeOf(urn);
  const inputs = dropNulls(withIgnored(state, properties, ignoreChanges));
  const changed = Object.keys(resourceTypes[type].fields).some(
    (name) => isUnknown(inputs[name]) || ((state[name] ?? null) !== null && !equal(inputs[name], state[name])),
  );
  const kept = outputsOf(inputs, preview && changed);
  if (!isCommand(type)) {
    const same = hashOf(inputs["source"]) === hashOf(state["source"]);
    if (!preview && !(same && equal(plain(inputs["remotePath"] ?? null), plain(state["remotePath"] ?? null)))) {
      await copy(operation, type, inputs);
    }
    return kept;
  }
  const previous = previousOf(state);
  // Files found by the last run stay until the next one finds others.
  const found: Record<string, ValueMap[string]> = {};
  for (const name of ["assets", "archive"]) {
    const value = state[name];
    if (type === "command:local:Command" && value !== undefined && value !== null) {
      found[name] = value;
    }
  }
  const before: ValueMap = { ...kept, ...found, ...previous };
  if (preview) {
    const unknowns = Object.keys({ ...found, ...previous }).map((name) => [name, unknownValue] as const);
    return changed ? { ...before, ...Object.fromEntries(unknowns) } : before;
  }
  const command = commandOf(inputs, "update") ?? commandOf(inputs, "create");
  return command === undefined
    ? before
    : { ...before, ...(await runCommand(operation, type, command, inputs, previous)) };
}

/** Deletes a resource: commands run `delete` if there is one; what was copied stays where it is. */
export async function remove(operation: Operation, urn: string, state: ValueMap): Promise<void> {
  const type = typeOf(urn);
  const command = isCommand(type) ? commandOf(state, "delete") : undefined;
  if (command !== undefined) {
    await runCommand(operation, type, command, dropNulls(state), previousOf(state));
  }
}

/** Runs the function `command:local:run`. */
export async function invoke(
  operation: Operation,
  token: string,
  args: ValueMap,
): Promise<{ outputs: ValueMap; failures: readonly Failure[] }> {
  if (token !== "command:local:run") {
    throw new Error(`unknown function ${token}: this stand-in serves command:local:run`);
  }
  const { inputs, failures } = checkInputs(runType, args);
  if (failures.length > 0) {
    return { outputs: {}, failures };
  }
  const known = plain(inputs) as unknown as LocalInputs & { command: string };
  return { outputs: { ...inputs, ...(await runLocal(operation, known.command, known, noOutput)) }, failures };
}
