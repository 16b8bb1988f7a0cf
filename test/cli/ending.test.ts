import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { toItsEnd } from "../../cli/ending";

const DIST = join(__dirname, "..", "..", "dist");
const folder = mkdtempSync(join(tmpdir(), "podnet-ending-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a command", () => {
  afterEach(() => {
    vi.restoreAllMocks();
    process.exitCode = undefined;
  });

  test("has failed until it came to its end, whose code it has then", async () => {
    let done: (code: number) => void = () => undefined;
    const ended = toItsEnd(2, () => new Promise((resolve) => (done = resolve)));
    expect(process.exitCode).toBe(2);
    done(0);
    await ended;
    expect(process.exitCode).toBe(0);
    await toItsEnd(2, () => Promise.resolve(1));
    expect(process.exitCode).toBe(1);
  });

  test("that throws says why and has failed", async () => {
    const said = vi.spyOn(console, "error").mockReturnValue(undefined);
    await toItsEnd(2, () => Promise.reject(new Error("no engine")));
    expect([process.exitCode, said.mock.calls]).toEqual([2, [["no engine"]]]);
  });
});

describe("a command that nothing is left to wait for is no success:", () => {
  /** Runs a program in which one function of a module waits for what never comes. */
  function stuck(module: string, name: string, program: string, word: string): { code: unknown; said: string } {
    const preload = join(folder, "preload.cjs");
    writeFileSync(preload, `require(${JSON.stringify(join(DIST, module))}).${name} = () => new Promise(() => {});\n`);
    const { status, stderr } = spawnSync(process.execPath, ["-r", preload, join(DIST, program), word], {
      encoding: "utf8",
      input: "{}",
    });
    return { code: status, said: stderr };
  }
  const said = "this command ended before its work was done, and nobody knows how that went: a fault of podnet's\n";

  test.each([
    ["make verify", 2, "toolchain/make/verify.js", "verify", "toolchain/make/cli.js", "verify"],
    ["make env", 1, "toolchain/supply/toolchain.js", "ensureToolchain", "toolchain/make/cli.js", "env"],
    ["podnet check", 2, "components/connectivity/run.js", "checkCommand", "cli/main.js", "check"],
    ["podnet lab-node", 1, "components/lab/command.js", "labCommand", "cli/main.js", "lab-node"],
  ])("%s", (_, code, module, name, program, word) => {
    expect(stuck(module, name, program, word)).toEqual({ code, said });
  });
});
