import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { quote } from "../../toolchain/host/quote";

/** Text with more of what shells read than chance would give. */
const nasty = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("'", '"', "`", "$(id)", "${x}", "\\", "\n", ";", "&", "|", "*", "~", " ", "!", "#", "END", "<<"),
    ),
  )
  .map((parts) => parts.join("").replaceAll("\0", ""))
  .filter((text) => Buffer.from(text, "utf8").toString("utf8") === text);

const bash = (script: string): string =>
  execFileSync("bash", ["--norc", "--noprofile", "-euo", "pipefail", "-c", script], { encoding: "utf8" });

test("a quoted value is one word, unchanged", () => {
  fc.assert(
    fc.property(fc.array(nasty, { minLength: 1, maxLength: 20 }), (values) => {
      // A NUL after each word shows where one ends; no word can hold one itself.
      const seen = bash(`printf '%s\\0' ${values.map(quote).join(" ")}`);
      expect(seen.split("\0").slice(0, -1)).toEqual(values);
    }),
    { numRuns: 60 },
  );
});

test("what no shell word can hold is refused", () => {
  expect(() => quote("a\0b")).toThrow("a shell word cannot hold a NUL byte");
});
