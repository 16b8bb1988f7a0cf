/** A property value as it crosses the wire between engine and provider: JSON, with special objects told by a signature. */
export type Value = null | boolean | number | string | readonly Value[] | ValueMap;

/** Named property values, such as a resource's inputs or state. */
export interface ValueMap {
  readonly [name: string]: Value;
}

/** Key under which a special object carries its kind. */
export const signatureKey = "4dabf18193072939515e22adb298388d";
/** Kinds of special objects (Pulumi's wire protocol). */
export const signatures = {
  secret: "1b47061264138c4ac30d75fd1eb44270",
  asset: "c44067f5952c0a294b673a41bacd8c17",
  archive: "0def7320c3a5731c473e5ecbe6d01bc7",
  output: "d0e6a833031e9bbcd3f4e8bde6ca49a4",
} as const;

/** The wire's text for "not known yet"; one text for each kind of value, of which the first is what Pulumi itself writes. */
export const unknownValue = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const unknownValues: ReadonlySet<Value> = new Set<Value>([
  unknownValue,
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
  "030794c1-ac77-496b-92df-f27374a8bd58",
  "e48ece36-62e2-4504-bad9-02848725956a",
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]);

/** Whether a value is a map of any kind, special objects included. */
export function isMap(value: Value | undefined): value is ValueMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a value is a list. */
export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

function kindOf(value: Value | undefined): Value | undefined {
  return isMap(value) ? value[signatureKey] : undefined;
}

/** Whether a value is an asset or an archive. */
export function isAsset(value: Value | undefined): value is ValueMap {
  return kindOf(value) === signatures.asset || kindOf(value) === signatures.archive;
}

/** Whether something within a value, or the value itself, is such. */
export function contains(value: Value | undefined, such: (each: Value) => boolean): boolean {
  if (value === undefined) {
    return false;
  }
  const inner = isList(value) ? value : isMap(value) ? Object.values(value) : [];
  return such(value) || inner.some((each) => contains(each, such));
}

/** Whether a value is wrapped as a secret. */
export function isSecret(value: Value | undefined): boolean {
  return kindOf(value) === signatures.secret;
}

/** Wraps a value as a secret; a secret stays as it is. */
export function makeSecret(value: Value): Value {
  return isSecret(value) ? value : { [signatureKey]: signatures.secret, value };
}

/** Takes the secret wrapping off the outside of a value. */
export function unwrap(value: Value): Value {
  return isSecret(value) ? unwrap((value as ValueMap)["value"] ?? null) : value;
}

/** Takes every secret wrapping off a value, however deep. */
export function plain(value: Value): Value {
  const inner = unwrap(value);
  if (isList(inner)) {
    return inner.map(plain);
  }
  return isMap(inner) ? Object.fromEntries(Object.entries(inner).map(([k, v]) => [k, plain(v)])) : inner;
}

/** Whether a value as a whole is not known yet, be it secret or not. */
export function isUnknown(value: Value | undefined): boolean {
  return value !== undefined && unknownValues.has(unwrap(value));
}

/** Changes what is inside a secret, or the value itself, and keeps the wrapping. What is unknown stays as it is. */
export function mapInner(value: Value, change: (inner: Value) => Value): Value {
  if (isUnknown(value)) {
    return value;
  }
  return isSecret(value) ? makeSecret(change(unwrap(value))) : change(value);
}

/** Drops properties that are null, at every depth of maps, as the official provider does with all it receives. */
export function dropNulls(map: ValueMap): ValueMap {
  const clean = (value: Value): Value => {
    if (isList(value)) {
      return value.map(clean);
    }
    return isMap(value) ? dropNulls(value) : value;
  };
  return Object.fromEntries(
    Object.entries(map)
      .filter(([, value]) => value !== null)
      .map(([key, value]) => [key, clean(value)]),
  );
}

/** Whether two values are the same. Assets and archives are the same when their hashes are; a secret never equals plain text. */
export function equal(a: Value | undefined, b: Value | undefined): boolean {
  if (isList(a) && isList(b)) {
    return a.length === b.length && a.every((item, i) => equal(item, b[i]));
  }
  if (isMap(a) && isMap(b)) {
    const kind = kindOf(a);
    if (kind !== kindOf(b)) {
      return false;
    }
    if ((kind === signatures.asset || kind === signatures.archive) && a["hash"] && b["hash"]) {
      return a["hash"] === b["hash"];
    }
    return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => equal(a[key] ?? null, b[key] ?? null));
  }
  return (a ?? null) === (b ?? null);
}

/** How one property differs. */
export type Difference = "add" | "delete" | "update";

function pathOf(prefix: string, key: string): string {
  if (/^[A-Za-z0-9_]*$/.test(key)) {
    return prefix === "" ? key : `${prefix}.${key}`;
  }
  return `${prefix}["${key.replaceAll('"', '\\"')}"]`;
}

/** Every difference between two maps, by Pulumi property path (`environment.A`, `triggers[0]`). Secrets differ as wholes. */
export function differences(before: ValueMap, after: ValueMap, prefix = ""): Map<string, Difference> {
  const found = new Map<string, Difference>();
  const compare = (path: string, a: Value | undefined, b: Value | undefined): void => {
    const [had, has] = [a !== undefined && a !== null, b !== undefined && b !== null];
    if (isList(a) && isList(b)) {
      for (let i = 0; i < Math.max(a.length, b.length); i++) {
        const at = `${path}[${i}]`;
        if (i >= a.length || i >= b.length) {
          found.set(at, i >= a.length ? "add" : "delete");
        } else {
          compare(at, a[i], b[i]);
        }
      }
    } else if (isMap(a) && isMap(b) && kindOf(a) === undefined && kindOf(b) === undefined) {
      differences(a, b, path).forEach((kind, at) => found.set(at, kind));
    } else if (!equal(a, b)) {
      found.set(path, had && has ? "update" : had ? "delete" : "add");
    }
  };
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    compare(pathOf(prefix, key), before[key], after[key]);
  }
  return found;
}
