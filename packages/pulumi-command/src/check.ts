import { objects, type Field, type Fields, type FieldType, type InputType } from "./types";
import {
  dropNulls,
  isAsset,
  isList,
  isMap,
  isSecret,
  isUnknown,
  makeSecret,
  mapInner,
  signatureKey,
  signatures,
  unwrap,
  type Value,
  type ValueMap,
} from "./value";

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
    { property: at, reason: `Field '${at}' on '${goType}' must be a '${want}'; got '${goTypeOf(got)}' instead` },
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
    case "asset":
    case "connection":
    case "proxy": {
      // What is no object at all is taken for neither asset nor archive.
      if (field.type === "asset" && (isAsset(value) || (!isList(value) && !isMap(value)))) {
        return [];
      }
      if (!isMap(value)) {
        return wrong(name, goTypes[field.type], value);
      }
      const object = field.type === "asset" ? { goType: goTypes.asset, fields: {} } : objects[field.type];
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

/**
 * What the official provider makes of a secret that is not known yet, by its type: it forgets that the value is unknown, and
 * takes the type's empty one for it.
 */
const emptyValues: Readonly<Record<FieldType, Value>> = {
  string: "",
  number: 0,
  int: 0,
  bool: false,
  strings: [],
  stringMap: {},
  list: [],
  asset: {},
  connection: { host: "" },
  proxy: { host: "" },
};

/** A secret without a value, which the engine refuses: what the official provider makes of an unknown secret of any type. */
const secretOfNothing: Value = { [signatureKey]: signatures.secret };

function isUnknownSecret(value: Value): boolean {
  return isSecret(value) && isUnknown(value);
}

/** The elements of a list or map, with unknown secrets among them as the official provider hands them back. */
function withoutUnknownSecrets(type: FieldType, value: Value): Value {
  if (type === "stringMap" && isMap(value)) {
    const known = (item: Value): Value => (isUnknownSecret(item) ? makeSecret("") : item);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, known(item)]));
  }
  if ((type === "strings" || type === "list") && isList(value)) {
    return value.map((item) => (!isUnknownSecret(item) ? item : type === "strings" ? makeSecret("") : secretOfNothing));
  }
  return value;
}

function complete(fields: Fields, values: ValueMap, withDefaults: boolean): ValueMap {
  const result: Record<string, Value> = { ...values };
  for (const [name, field] of Object.entries(fields)) {
    if (withDefaults && field.default !== undefined) {
      result[name] ??= field.default;
    }
    const given = result[name];
    if (given === undefined) {
      continue;
    }
    const forgets = withDefaults && isUnknownSecret(given);
    const value = forgets ? makeSecret(emptyValues[field.type]) : given;
    const completed = mapInner(value, (inner) => {
      if ((field.type === "connection" || field.type === "proxy") && isMap(inner)) {
        return complete(objects[field.type].fields, inner, withDefaults);
      }
      if (!withDefaults) {
        return inner;
      }
      return field.type === "int" && typeof inner === "number"
        ? Math.trunc(inner)
        : withoutUnknownSecrets(field.type, inner);
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
  if ("source" in type.fields) {
    failures.push(...checkSource(inputs["source"]));
  }
  return { inputs, failures };
}

/** SHA-256 of nothing: an asset with this hash, or none, and no text is an empty text. */
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
  const [given, hash] = [typeof text === "string" ? text : "", value["hash"] ?? ""];
  return given !== "" || hash === "" || hash === emptyHash ? { text: given } : undefined;
}

/** One that is not known yet is refused too, as by the official provider, which sees that none is there. */
function checkSource(source: Value = null): Failure[] {
  if (copySource(source)) {
    return [];
  }
  const value = unwrap(source);
  if (!isAsset(value)) {
    return [{ property: "asset", reason: "either asset or archive must be set" }];
  }
  return value[signatureKey] === signatures.asset
    ? [{ property: "asset", reason: "asset must be a path-based file asset or a text asset" }]
    : [{ property: "archive", reason: "archive must be a path to a file or directory" }];
}
