import * as pulumi from "@pulumi/pulumi";
import type { z } from "zod";
import { guardFrames } from "./frames";
import { InvalidInputError, type Problem, problemsOf } from "./validate";

guardFrames();

/** A value of which some parts are undefined: what is not known yet, and what failed its schema. */
export type Partly<T> = T extends readonly (infer U)[]
  ? readonly (Partly<U> | undefined)[]
  : T extends object
    ? { readonly [K in keyof T]?: Partly<T[K]> | undefined }
    : T;

/**
 * Further problems of values that each pass their schema, such as two that contradict each other. It judges what is there, so that
 * one value that is not known yet hides nothing that the others show.
 */
export type CrossCheck<T> = (value: Partly<T>) => Problem[];

/**
 * Validates a component's arguments before anything is made: what is plain at once, with all problems in one
 * InvalidInputError; what is an Output as soon as it is known. Children take their inputs from the result, so that none is
 * made of arguments that failed.
 */
export function checked<T extends z.ZodType>(
  subject: string,
  schema: T,
  args: unknown,
  cross: CrossCheck<z.output<T>> = () => [],
): pulumi.Output<z.output<T>> {
  const examine = (given: unknown): z.output<T> | undefined => {
    const { problems, value, whole } = examined(schema, given);
    refuse(subject, [...problems, ...cross(value)]);
    return whole;
  };
  const value = examine(args);
  return value === undefined
    ? pulumi.output(args as object).apply((known) => examine(known) as z.output<T>)
    : pulumi.output(undefined).apply<z.output<T>>(() => value);
}

/** Throws one InvalidInputError with all that is wrong with the plain parts of a value; Outputs are left to whoever knows them. */
export function checkPlain(subject: string, schema: z.ZodType, value: unknown): void {
  refuse(subject, examined(schema, value).problems);
}

function refuse(subject: string, problems: readonly Problem[]): void {
  if (problems.length > 0) {
    throw new InvalidInputError(subject, problems);
  }
}

/** What a schema says of the plain parts of a value. */
interface Examined<T> {
  readonly problems: readonly Problem[];
  /** What is known of it and passed. */
  readonly value: Partly<T>;
  /** The value itself, where all of it is known and passed. */
  readonly whole: T | undefined;
}

function examined<T extends z.ZodType>(schema: T, given: unknown): Examined<z.output<T>> {
  const { plain, unknown } = split(given);
  const parsed = schema.safeParse(plain, { reportInput: true });
  if (parsed.success && unknown.length === 0) {
    return { problems: [], value: parsed.data as Partly<z.output<T>>, whole: parsed.data };
  }
  const { error } = parsed;
  return {
    problems: (error === undefined ? [] : problemsOf(error, schema)).filter(
      ({ path }) => !unknown.some((at) => path === at || path.startsWith(`${at}.`)),
    ),
    value: ((error?.issues ?? []).reduce(withoutFailed, plain) ?? {}) as Partly<z.output<T>>,
    whole: undefined,
  };
}

/** A value without the part that an issue is about. A key that nobody knows is no such part. */
function withoutFailed(value: unknown, { code, path }: z.core.$ZodIssue): unknown {
  return code === "unrecognized_keys" ? value : without(value, path);
}

function without(value: unknown, [key, ...rest]: readonly PropertyKey[]): unknown {
  if (key === undefined) {
    return undefined;
  }
  if (Array.isArray(value)) {
    return value.map((item, index) => (index === key ? without(item, rest) : item) as unknown);
  }
  return typeof value === "object" && value !== null
    ? { ...value, [key]: without((value as Record<PropertyKey, unknown>)[key], rest) }
    : value;
}

/** The plain parts of a value, and the dotted paths of its Outputs and Promises. */
function split(value: unknown): { readonly plain: unknown; readonly unknown: readonly string[] } {
  const unknown: string[] = [];
  return { plain: withoutOutputs(value, [], unknown), unknown };
}

/** A copy with undefined in the place of every Output and Promise, whose dotted paths are added to `unknown`. */
function withoutOutputs(value: unknown, path: readonly string[], unknown: string[]): unknown {
  if (pulumi.Output.isInstance(value) || value instanceof Promise) {
    unknown.push(path.join("."));
    return undefined;
  }
  if (Array.isArray(value)) {
    return value.map((item, index) => withoutOutputs(item, [...path, String(index)], unknown));
  }
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, withoutOutputs(item, [...path, key], unknown)]),
    );
  }
  return value;
}
