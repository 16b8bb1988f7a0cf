import { z } from "zod";

/** One thing wrong with a value a user gave: where (a dotted path, empty for the whole) and what. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

/** Thrown with every problem of one input at once; `problems` holds them one by one. */
export class InvalidInputError extends Error {
  override readonly name = "InvalidInputError";
  constructor(
    readonly subject: string,
    readonly problems: readonly Problem[],
  ) {
    const lines = problems.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
    const message =
      lines.length === 1 ? `invalid ${subject}: ${lines.join("")}` : `invalid ${subject}:\n  ${lines.join("\n  ")}`;
    super(message);
    // Pulumi's runner shows the message alone of what has this mark, without the stack, which is about podnet.
    Object.defineProperty(this, "__pulumiRunError", { value: true });
    // Its SDK writes each property that could not be sent into the message, once for every resource that waits for the same.
    Object.defineProperty(this, "message", { get: () => message, set: () => undefined });
  }
}

/** The message of what was thrown, whatever it is. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Writes a value into an error message, shortened to 60 characters; what is not JSON is named by its type. */
export function show(value: unknown): string {
  if (value === undefined) {
    return "nothing";
  }
  const text = typeof value === "bigint" || typeof value === "function" ? typeof value : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Names the type of a value that may be a secret, so that no message repeats it. */
export function showType(value: unknown): string {
  return value === null ? "null" : article(Array.isArray(value) ? "array" : typeof value);
}

/** The candidate nearest to a mistyped word, or undefined when none is within two edits (a third of a short word). */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best && best.distance <= Math.max(1, Math.min(2, Math.floor(word.length / 3))) ? best.candidate : undefined;
}

/** Message for a key that no schema knows, with the nearest known one when there is one, else all of them. */
export function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  return meant === undefined
    ? `unknown key; the known ones are ${known.join(", ")}`
    : `unknown key; did you mean "${meant}"?`;
}

/** Parses a value by a schema, or throws one InvalidInputError that lists all its problems; `subject` says what the value is. */
export function validate<T extends z.ZodType>(subject: string, schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) {
    return result.data;
  }
  throw new InvalidInputError(subject, problemsOf(result.error, schema));
}

/** Turns zod's issues into problems in the house's wording, one per unknown key. */
export function problemsOf(error: z.ZodError, schema: z.ZodType): Problem[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code === "unrecognized_keys") {
      const known = knownKeys(schemaAt(schema, path));
      return issue.keys.map((key) => ({ path: [...path, key].join("."), message: unknownKey(key, known) }));
    }
    // A schema with a message of its own has it said: zod's own all begin like this.
    if (issue.code === "invalid_type" && issue.message.startsWith("Invalid input")) {
      const message = issue.input === undefined ? "is required" : `must be ${article(issue.expected)}`;
      return [
        { path: path.join("."), message: issue.input === undefined ? message : `${message}, got ${show(issue.input)}` },
      ];
    }
    if (issue.code === "invalid_key") {
      return issue.issues.map(({ message }) => ({ path: path.join("."), message }));
    }
    return [{ path: path.join("."), message: issue.message }];
  });
}

function article(kind: string): string {
  return kind === "int" ? "a whole number" : /^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}

function knownKeys(schema: z.ZodType | undefined): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

function schemaAt(schema: z.ZodType | undefined, path: readonly string[]): z.ZodType | undefined {
  let at: unknown = schema;
  for (const key of ["", ...path].slice(1)) {
    at = unwrap(at);
    if (at instanceof z.ZodObject) {
      at = (at.shape as Record<string, unknown>)[key];
    } else if (at instanceof z.ZodRecord) {
      at = at.valueType;
    } else if (at instanceof z.ZodArray) {
      at = at.element;
    } else {
      return undefined;
    }
  }
  at = unwrap(at);
  return at instanceof z.ZodType ? at : undefined;
}

function unwrap(schema: unknown): unknown {
  let at = schema;
  while (at instanceof z.ZodOptional || at instanceof z.ZodDefault) {
    at = at.unwrap();
  }
  return at;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      current.push(
        Math.min(
          (previous[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1),
        ),
      );
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
