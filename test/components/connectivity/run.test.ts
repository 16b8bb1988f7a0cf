import { afterEach, expect, test, vi } from "vitest";
import { checkCommand } from "../../../components/connectivity/run";

afterEach(() => {
  vi.restoreAllMocks();
});

/** What the command says on standard error and its exit code. */
async function ended(given: string, ...words: string[]): Promise<{ code: number; said: string }> {
  let said = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    said += String(text);
    return true;
  });
  const code = await checkCommand(given, words);
  return { code, said };
}

test.each([
  ["no JSON", "", /^connectivity check could not run: /],
  ["no input of the check's", "{}", /^connectivity check could not run: invalid connectivity input:/],
])("a check that gets %s could not run, which is no failure of the network", async (_, given, message) => {
  const { code, said } = await ended(given);
  expect(code).toBe(2);
  expect(said).toMatch(message);
});

test.each([
  [
    ["--jnit", "a.xml"],
    /could not run: Unknown option '--jnit'.*; usage: podnet check \[--table\] \[--json FILE\] \[--html FILE\] \[--junit FILE\]/,
  ],
  [["--junit"], /could not run: Option '--junit <value>' argument missing; usage: /],
  [["more"], /could not run: Unexpected argument 'more'.*; usage: /],
  [["--markdown", "/no/such/folder/a.md"], /could not run: ENOENT.*'\/no\/such\/folder'/],
])("the options %j are refused before anything is asked", async (words, message) => {
  const { code, said } = await ended("{}", ...words);
  expect(code).toBe(2);
  expect(said).toMatch(message);
});
