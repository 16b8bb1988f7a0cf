import {
  dropNulls,
  isList,
  isMap,
  isUnknown,
  makeSecret,
  mapInner,
  signatureKey,
  signatures,
  unwrap,
  type Value,
  type ValueMap,
} from "./value";

/** Version of the official plugin whose schema and behaviour are served. */
export const version = "1.2.1";

type FieldType =
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
const objects = {
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

/** A property that was refused, and why. */
export interface Failure {
  readonly property: string;
  readonly reason: string;
}

function goTypeOf(value: Value): string {
  if (isList(value)) {
    return "[]interface {}";
  }
  if (isMap(value)) {
    return "map[string]interface {}";
  }
  return { boolean: "bool", number: "float64", string: "string" }[typeof value as "boolean" | "number" | "string"];
}

const goTypes: Record<FieldType, string> = {
  string: "string",
  number: "float64",
  int: "int",
  bool: "bool",
  strings: "[]string",
  stringMap: "map[string]string",
  list: "[]interface {}",
  asset: "types.AssetOrArchive",
  connection: objects.connection.goType,
  proxy: objects.proxy.goType,
};

/** Checks one known value; `wrong` is the message for a wrong type, in the official provider's words. */
function checkValue(name: string, field: Field, goType: string, wrapped: Value): Failure[] {
  if (isUnknown(wrapped)) {
    return [];
  }
  const value = unwrap(wrapped);
  const wrong = (at: string, want: string, got: Value): Failure[] => [
    { property: name, reason: `Field '${at}' on '${goType}' must be a '${want}'; got '${goTypeOf(got)}' instead` },
  ];
  const each = (items: [string, Value][]): Failure[] => {
    for (const [at, item] of items) {
      if (!isUnknown(item) && typeof unwrap(item) !== "string") {
        return wrong(at, "string", unwrap(item));
      }
    }
    return [];
  };
  switch (field.type) {
    case "string":
    case "bool":
    case "number":
    case "int": {
      const want = { string: "string", bool: "boolean", number: "number", int: "number" }[field.type];
      return typeof value === want ? [] : wrong(name, goTypes[field.type], value);
    }
    case "list":
      return isList(value) ? [] : wrong(name, goTypes.list, value);
    case "strings":
      return isList(value)
        ? each(value.map((item, i) => [`${name}[${i}]`, item]))
        : wrong(name, goTypes.strings, value);
    case "stringMap":
      return isMap(value)
        ? each(Object.entries(value).map(([key, item]) => [`${name}[${key}] value`, item]))
        : wrong(name, goTypes.stringMap, value);
    case "asset": {
      const kind = isMap(value) ? value[signatureKey] : undefined;
      return kind === signatures.asset || kind === signatures.archive ? [] : wrong(name, goTypes.asset, value);
    }
    case "connection":
    case "proxy": {
      if (!isMap(value)) {
        return wrong(name, goTypes[field.type], value);
      }
      const object = objects[field.type];
      const inner = checkFields(object.fields, object.goType, value);
      const lines = inner.map(({ property, reason }) => `\n\t${property}: ${reason}`).join("");
      const owner = goType.slice(goType.indexOf(".") + 1);
      const reason = `An error occurred decoding '${owner}.${name}': ${inner.length} failures decoding:${lines}`;
      return inner.length === 0 ? [] : [{ property: name, reason }];
    }
  }
}

function checkFields(fields: Fields, goType: string, values: ValueMap): Failure[] {
  const failures: Failure[] = [];
  for (const [name, field] of Object.entries(fields)) {
    const value = values[name];
    if (value !== undefined && value !== null) {
      failures.push(...checkValue(name, field, goType, value));
    } else if (field.required) {
      failures.push({ property: name, reason: `Missing required field '${name}' on '${goType}'` });
    }
  }
  for (const name of Object.keys(values).filter((key) => !(key in fields))) {
    failures.push({ property: name, reason: `Unrecognized field '${name}' on '${goType}'` });
  }
  return failures;
}

function complete(fields: Fields, values: ValueMap, withDefaults: boolean): ValueMap {
  const result: Record<string, Value> = { ...values };
  for (const [name, field] of Object.entries(fields)) {
    if (withDefaults && field.default !== undefined) {
      result[name] ??= field.default;
    }
    const value = result[name];
    if (value === undefined) {
      continue;
    }
    const completed = mapInner(value, (inner) => {
      if ((field.type === "connection" || field.type === "proxy") && isMap(inner)) {
        return complete(objects[field.type].fields, inner, withDefaults);
      }
      return withDefaults && field.type === "int" && typeof inner === "number" ? Math.trunc(inner) : inner;
    });
    result[name] = field.secret ? makeSecret(completed) : completed;
  }
  return result;
}

/** Validates inputs, fills in defaults and marks what is always secret. With failures, defaults stay out and secrets are marked. */
export function checkInputs(type: InputType, news: ValueMap): { inputs: ValueMap; failures: Failure[] } {
  const values = dropNulls(news);
  const failures = checkFields(type.fields, type.goType, values);
  const inputs = complete(type.fields, values, failures.length === 0);
  if (failures.length === 0) {
    failures.push(...checkSource(inputs["source"]));
  }
  return { inputs, failures };
}

/** SHA-256 of nothing: an asset with this hash and no text is an empty text. */
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** What a CopyToRemote copies: a text, or a file or folder of this machine. Undefined for assets that it cannot copy. */
export function copySource(source: Value): { text: string } | { path: string } | undefined {
  const value = unwrap(source);
  if (!isMap(value)) {
    return undefined;
  }
  const [path, text, uri] = [value["path"], value["text"], value["uri"]];
  if (typeof path === "string" && path !== "") {
    return { path };
  }
  if (value[signatureKey] !== signatures.asset || (typeof uri === "string" && uri !== "")) {
    return undefined;
  }
  return typeof text === "string" && (text !== "" || value["hash"] === emptyHash) ? { text } : undefined;
}

function checkSource(source: Value | undefined): Failure[] {
  if (source === undefined || isUnknown(source) || copySource(source)) {
    return [];
  }
  return (unwrap(source) as ValueMap)[signatureKey] === signatures.asset
    ? [{ property: "asset", reason: "asset must be a path-based file asset or a text asset" }]
    : [{ property: "archive", reason: "archive must be a path to a file or directory" }];
}

/** Whether a change of the property at `path` replaces the resource by itself. The SDK adds `triggers[*]` to this. */
export function replacesOnChange(type: ResourceType, path: string): boolean {
  const fields: Fields = resourceTypes[type].fields;
  return type === "command:remote:CopyFile" || fields[path]?.replaces === true;
}

interface JsonType {
  readonly [key: string]: string | boolean | number | JsonType;
}

function jsonType(type: FieldType): JsonType {
  switch (type) {
    case "string":
    case "number":
      return { type };
    case "int":
      return { type: "integer" };
    case "bool":
      return { type: "boolean" };
    case "strings":
      return { type: "array", items: { type: "string" } };
    case "list":
      return { type: "array", items: { $ref: "pulumi.json#/Any" } };
    case "stringMap":
      return { type: "object", additionalProperties: { type: "string" } };
    case "asset":
      return { $ref: "pulumi.json#/Asset" };
    case "connection":
      return { $ref: "#/types/command:remote:Connection" };
    case "proxy":
      return { $ref: "#/types/command:remote:ProxyConnection" };
  }
}

/** The package's schema as JSON text: every type and property of the official one, without its descriptions. */
export function schemaJson(): string {
  const properties = (fields: Fields): Record<string, object> =>
    Object.fromEntries(
      Object.entries(fields).map(([name, field]) => [
        name,
        {
          ...jsonType(field.type),
          ...(field.secret ? { secret: true } : {}),
          ...(field.replaces ? { replaceOnChanges: true } : {}),
          ...(field.default === undefined ? {} : { default: field.default }),
        },
      ]),
    );
  const required = (fields: Fields): string[] =>
    Object.keys(fields)
      .filter((name) => fields[name]?.required)
      .sort();
  const text = { type: "string" };
  const localOutputs = {
    stdout: text,
    stderr: text,
    assets: { type: "object", additionalProperties: { $ref: "pulumi.json#/Asset" } },
    archive: { $ref: "pulumi.json#/Archive" },
  };
  const outputsOf = (token: string): Record<string, object> => {
    if (token === "command:remote:Command") {
      return { stdout: text, stderr: text };
    }
    return token.startsWith("command:local:") ? localOutputs : {};
  };
  const requiredOutputs = (token: string): string[] => ("stdout" in outputsOf(token) ? ["stderr", "stdout"] : []);
  const resources = Object.entries(resourceTypes).map(([token, { fields }]) => [
    token,
    {
      properties: { ...properties(fields), ...outputsOf(token) },
      required: [...required(fields), ...requiredOutputs(token)].sort(),
      inputProperties: properties(fields),
      requiredInputs: required(fields),
    },
  ]);
  const object = (fields: Fields): object => ({
    type: "object",
    properties: properties(fields),
    required: required(fields),
  });
  return JSON.stringify({
    name: "command",
    version,
    provider: {},
    types: {
      "command:remote:Connection": object(objects.connection.fields),
      "command:remote:ProxyConnection": object(objects.proxy.fields),
    },
    resources: Object.fromEntries(resources) as object,
    functions: {
      "command:local:run": {
        inputs: object(runType.fields),
        outputs: {
          type: "object",
          properties: { ...properties(runType.fields), ...localOutputs },
          required: ["command", ...requiredOutputs("command:local:run")],
        },
      },
    },
  });
}
