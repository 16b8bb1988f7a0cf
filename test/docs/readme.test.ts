import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CLAIMS } from "../../components/connectivity/claims";
import { bridgeDefinition } from "../../components/network/bridge/definition";
import { settingsTable } from "../../toolchain/host/settings";

const project = join(__dirname, "..", "..");
const readme = readFileSync(join(project, "README.md"), "utf8");
const settings = readFileSync(join(project, "docs", "settings.md"), "utf8");

test("the README shows the example that is compiled with the rest", () => {
  const block = /```ts\n([\s\S]*?)```/.exec(readme)?.[1];
  expect(block).toBe(readFileSync(join(project, "examples", "own-program.ts"), "utf8"));
});

test("the page of settings lists every one with its default", () => {
  // The formatter aligns the columns; that is not what matters here.
  const flat = (table: string): string => table.replace(/ *\| */g, "|").replace(/-+/g, "-");
  expect(flat(settings)).toContain(`\n${flat(settingsTable())}\n`);
});

test("the README shows every claim, and why one does not apply", () => {
  const shown = [...readme.matchAll(/^ {2}(?:✓ (\S+) +\d+\/\d+|○ (\S+) +n\/a) {2}(.*)$/gm)];
  const { notApplicable } = bridgeDefinition();
  expect(shown.map(([, proven, exempt, text]) => [proven, exempt, text])).toEqual(
    CLAIMS.map(({ id, title, exemption }) => {
      const reason = notApplicable.find(({ promise }) => promise === exemption?.promise)?.reason;
      return reason === undefined ? [id, undefined, title] : [undefined, id, reason];
    }),
  );
});
