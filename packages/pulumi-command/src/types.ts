import type { Value } from "./value";

/** Version of the official plugin whose schema and behaviour are served. */
export const version = "1.2.1";

/** Kind of value that a property takes. */
export type FieldType =
  "string" | "number" | "int" | "bool" | "strings" | "stringMap" | "list" | "asset" | "connection" | "proxy";

/** One input property: its type and what the official schema says of it. */
export interface Field {
  readonly type: FieldType;
  readonly required?: boolean;
  readonly secret?: boolean;
  /** The whole property's appearing or disappearing replaces the resource. */
  readonly replaces?: boolean;
  readonly default?: Value;
}

/** Fields of one object, by property name. */
export type Fields = Readonly<Record<string, Field>>;

const proxy: Fields = {
  user: { type: "string", default: "root" },
  password: { type: "string", secret: true },
  host: { type: "string", required: true },
  port: { type: "number", default: 22 },
  privateKey: { type: "string", secret: true },
  privateKeyPassword: { type: "string", secret: true },
  agentSocketPath: { type: "string" },
  dialErrorLimit: { type: "int", default: 10 },
  perDialTimeout: { type: "int", default: 15 },
  hostKey: { type: "string" },
};
/** The objects that are property values themselves. `goType` is the name that the official provider's messages give them. */
export const objects = {
  connection: { goType: "remote.Connection", fields: { ...proxy, proxy: { type: "proxy" } } satisfies Fields },
  proxy: { goType: "remote.ProxyConnection", fields: proxy },
} as const;

const triggers: Fields = { triggers: { type: "list", replaces: true } };
const connection: Fields = { connection: { type: "connection", required: true, secret: true } };
const lifecycle: Fields = {
  ...triggers,
  create: { type: "string" },
  update: { type: "string" },
  delete: { type: "string" },
};
const local: Fields = {
  stdin: { type: "string" },
  logging: { type: "string" },
  interpreter: { type: "strings" },
  dir: { type: "string" },
  environment: { type: "stringMap" },
  assetPaths: { type: "strings" },
  archivePaths: { type: "strings" },
  addPreviousOutputInEnv: { type: "bool" },
};

/** What a resource or function takes. `goType` is the name that the official provider's messages give to its inputs. */
export interface InputType {
  readonly goType: string;
  readonly fields: Fields;
}

/** Inputs of each resource, by type token. */
export const resourceTypes = {
  "command:local:Command": { goType: "local.CommandInputs", fields: { ...lifecycle, ...local } },
  "command:remote:Command": {
    goType: "remote.CommandInputs",
    fields: {
      ...lifecycle,
      stdin: { type: "string" },
      logging: { type: "string" },
      ...connection,
      environment: { type: "stringMap" },
      addPreviousOutputInEnv: { type: "bool" },
    },
  },
  "command:remote:CopyToRemote": {
    goType: "remote.CopyToRemoteInputs",
    fields: {
      ...connection,
      ...triggers,
      source: { type: "asset", required: true },
      remotePath: { type: "string", required: true },
    },
  },
  "command:remote:CopyFile": {
    goType: "remote.CopyFileInputs",
    fields: {
      ...connection,
      triggers: { type: "list" },
      localPath: { type: "string", required: true },
      remotePath: { type: "string", required: true },
    },
  },
} as const satisfies Record<string, InputType>;

/** Type token of a resource that is served. */
export type ResourceType = keyof typeof resourceTypes;

/** Inputs of the function `command:local:run`. */
export const runType: InputType = {
  goType: "local.RunInputs",
  fields: { ...local, command: { type: "string", required: true } },
};

/** Whether a change of the property at `path` replaces the resource by itself. The SDK adds `triggers[*]` to this. */
export function replacesOnChange(type: ResourceType, path: string): boolean {
  const fields: Fields = resourceTypes[type].fields;
  return type === "command:remote:CopyFile" || fields[path]?.replaces === true;
}
