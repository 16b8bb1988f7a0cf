import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const project = join(__dirname, "..", "..");

test("the page on Services shows the example that is compiled with the rest", () => {
  const page = readFileSync(join(project, "docs", "services.md"), "utf8");
  expect(/```ts\n([\s\S]*?)```/.exec(page)?.[1]).toBe(readFileSync(join(project, "examples", "service.ts"), "utf8"));
});
