import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CLAIM_IDS, CLAIMS } from "../../src/connectivity/claims";
import { settingsTable } from "../../toolchain/settings";

const project = join(__dirname, "..", "..");
const readme = readFileSync(join(project, "README.md"), "utf8");

test("the README shows the example that is compiled with the rest", () => {
  const block = /```ts\n([\s\S]*?)```/.exec(readme)?.[1];
  expect(block).toBe(readFileSync(join(project, "examples", "own-program.ts"), "utf8"));
});

test("the README lists every setting with its default", () => {
  // The formatter aligns the columns; that is not what matters here.
  const flat = (table: string): string => table.replace(/ *\| */g, "|").replace(/-+/g, "-");
  expect(flat(readme)).toContain(`\n${flat(settingsTable())}\n`);
});

test("the README shows every claim", () => {
  const shown = [...readme.matchAll(/^ {2}✓ (\S+) +\d+\/\d+ {2}(.*)$/gm)].map(([, claim, text]) => [claim, text]);
  expect(shown).toEqual(CLAIM_IDS.map((claim) => [claim, CLAIMS[claim]]));
});
