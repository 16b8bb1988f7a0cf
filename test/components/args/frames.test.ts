import { execFileSync, spawnSync } from "node:child_process";
import { RunError } from "@pulumi/pulumi/errors";
import { join } from "node:path";
import { expect, test } from "vitest";
import { InvalidInputError } from "../../../components/args/validate";

const project = join(__dirname, "..", "..", "..");
const DIST = join(project, "dist", "components", "args", "frames.js");
/** What Pulumi's runner does to an error: it has source maps read into its stack, and colours that. */
const COLOURS = `
  Error.prepareStackTrace = (error) => error + "\\n    at f (/w/node_modules/@pulumi/output.ts:5:3)\\n    at g (/w/node_modules/@pulumi/pulumi/x.js:1:1)\\n    at /w/node_modules/@a/b.ts:5:3\\n    at h (/w/node_modules/zod/v4.js:1:2)";
  GUARD;
  process.stdout.write(require("util").inspect(new Error("why"), { colors: true }));`;

test("an error that passed through the SDK can be coloured, which Node alone may never end", () => {
  const guard = `require(${JSON.stringify(DIST)}).guardFrames()`;
  // Twice, as the library may be loaded twice in one program.
  const script = COLOURS.replace("GUARD", `${guard}; ${guard}`);
  const { stdout, status } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8", timeout: 10_000 });
  expect(status).toBe(0);
  expect(
    stdout
      .replaceAll(new RegExp(`${String.fromCharCode(27)}\\[[0-9]+m`, "g"), "")
      .split("\n")
      .slice(0, 5),
  ).toEqual([
    "Error: why",
    "    at f (/w/node_modules/@pulumi/./output.ts:5:3)",
    "    at g (/w/node_modules/@pulumi/pulumi/x.js:1:1)",
    "    at /w/node_modules/@a/./b.ts:5:3",
    "    at h (/w/node_modules/zod/v4.js:1:2)",
  ]);
});

test("other stacks stay as they are", () => {
  const script = `const before = new Error("why").stack; require(${JSON.stringify(DIST)}).guardFrames();
    const after = new Error("why").stack; process.stdout.write(JSON.stringify([before, after]))`;
  const [before, after] = JSON.parse(execFileSync(process.execPath, ["-e", script], { encoding: "utf8" })) as string[];
  const frames = (stack = ""): string[] => stack.split("\n").map((line) => line.replace(/:[0-9]+:[0-9]+/, ""));
  expect(frames(after)).toEqual(frames(before));
  expect(frames(before)[1]).toBe("    at [eval]");
});

test("wrong input is told by its message alone, whatever the SDK writes before it", () => {
  const error = new InvalidInputError("Cluster args", [{ path: "podCidr", message: "is required" }]);
  expect(RunError.isInstance(error)).toBe(true);
  error.message = `error serializing property "stdin": ${error.message}`;
  expect(error.message).toBe("invalid Cluster args: podCidr: is required");
  expect(String(error)).toBe("InvalidInputError: invalid Cluster args: podCidr: is required");
});
