import * as pulumi from "@pulumi/pulumi";
import { unknown } from "@pulumi/pulumi/output";
import { beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { checked, type CrossCheck } from "../../../components/args/checked";
import { whole } from "../../../components/args/schemas";
import { useMocks } from "../mocks";

beforeAll(() => useMocks(() => undefined));

const range = z.strictObject({ low: whole(0, 9), high: whole(0, 9), name: z.string(), marks: z.array(whole(0, 9)) });
const inOrder: CrossCheck<z.output<typeof range>> = ({ low, high, marks = [] }) => [
  ...(low !== undefined && high !== undefined && low > high
    ? [{ path: "low", message: `is above ${String(high)}` }]
    : []),
  ...marks.flatMap((mark, index) =>
    mark !== undefined && high !== undefined && mark > high
      ? [{ path: `marks.${String(index)}`, message: `is above ${String(high)}` }]
      : [],
  ),
];
const check = (args: object): pulumi.Output<z.output<typeof range>> => checked("args", range, args, inOrder);

test("what values say together is told with what each says for itself, and nothing more of one that failed", () => {
  expect(() => check({ low: 5, high: 3, name: 1, marks: [4, 99, 1], other: 0 })).toThrow(
    [
      "invalid args:",
      "  name: must be a string, got 1",
      "  marks.1: must be a whole number between 0 and 9, got 99",
      "  other: unknown key; the known ones are low, high, name, marks",
      "  low: is above 3",
      "  marks.0: is above 3",
    ].join("\n"),
  );
  expect(() => check({ low: 99, high: 3, name: "a", marks: [] })).toThrow(
    "invalid args: low: must be a whole number between 0 and 9, got 99",
  );
});

test("what plain values say together is told at once, whatever else is not known yet", () => {
  const later = pulumi.output(unknown);
  expect(() => check({ low: 5, high: 3, name: later, marks: [later, 4] })).toThrow(
    "invalid args:\n  low: is above 3\n  marks.1: is above 3",
  );
  expect(() => check({ low: 5, high: later, name: "a", marks: [] })).not.toThrow();
});

test("what is known later is judged then, all of it at once", async () => {
  const later = (value: number): pulumi.Output<number> => pulumi.output(Promise.resolve(value));
  const listeners = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  try {
    const ended = new Promise<unknown>((end) => process.on("unhandledRejection", end));
    check({ low: later(5), high: 3, name: later(1), marks: [] });
    expect(String(await ended)).toBe(
      "InvalidInputError: invalid args:\n  name: must be a string, got 1\n  low: is above 3",
    );
    await new Promise((done) => setTimeout(done, 50));
  } finally {
    process.removeAllListeners("unhandledRejection");
    listeners.forEach((listener) => process.on("unhandledRejection", listener));
  }
});
