import * as pulumi from "@pulumi/pulumi";
import type { z } from "zod";
import { guardFrames } from "./frames";
import { InvalidInputError, type Problem, problemsOf, validate } from "./validate";

guardFrames();

/** Further problems of values that each pass their schema, such as two that contradict each other. */
export type CrossCheck<T> = (value: T) => Problem[];

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
  const { plain, unknown } = split(args);
  const parse = (value: unknown): z.output<T> => {
    const result = validate(subject, schema, value);
    const problems = cross(result);
    if (problems.length > 0) {
      throw new InvalidInputError(subject, problems);
    }
    return result;
  };
  if (unknown.length === 0) {
    const value = parse(plain);
    return pulumi.output(undefined).apply(() => value);
  }
  checkPlain(subject, schema, args);
  return pulumi.output(args as object).apply<z.output<T>>(parse);
}

/** Throws one InvalidInputError with all that is wrong with the plain parts of a value; Outputs are left to whoever knows them. */
export function checkPlain(subject: string, schema: z.ZodType, value: unknown): void {
  const { plain, unknown } = split(value);
  const early = schema.safeParse(plain, { reportInput: true });
  if (!early.success) {
    const problems = problemsOf(early.error, schema).filter(
      ({ path }) => !unknown.some((at) => path === at || path.startsWith(`${at}.`)),
    );
    if (problems.length > 0) {
      throw new InvalidInputError(subject, problems);
    }
  }
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
