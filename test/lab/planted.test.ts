import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { causeText } from "../../components/connectivity/report/table";
import type { Fault } from "./faults/fault";
import { check, createStack, failures, mustPulumi, onNode, output, run, STACK } from "./lab";

const FOLDER = join(__dirname, "faults");
/** The faults by name; `FAULTS=name,name` picks some. */
const NAMES = readdirSync(FOLDER)
  .map((file) => file.replace(/\.ts$/, ""))
  .filter((name) => name !== "fault")
  .filter((name) => (process.env["FAULTS"]?.split(",") ?? [name]).includes(name));

let verify = "";

beforeAll(() => {
  run("pulumi", ["destroy", "--yes", "--skip-preview", "--stack", STACK]);
  run("pulumi", ["stack", "rm", "--yes", "--force", "--stack", STACK]);
  createStack();
  mustPulumi("up", "--yes", "--skip-preview");
  verify = String(output("verify"));
});

afterAll(() => {
  run("pulumi", ["destroy", "--yes", "--skip-preview", "--stack", STACK]);
  run("pulumi", ["stack", "rm", "--yes", "--force", "--stack", STACK]);
});

/** The addresses of the nodes, as a cause names them: `{w1}`. */
function withAddresses(text: string): string {
  const { nodes } = JSON.parse(verify) as { nodes: Record<string, { internalIp: string }> };
  return text.replaceAll(/\{(\w+)\}/g, (_, node: string) => nodes[node]?.internalIp ?? "?");
}

test.each(NAMES)("%s: the right claims fail, and the cause is told first", async (name) => {
  const { default: fault } = (await import(join(FOLDER, `${name}.ts`))) as { default: Fault };
  const { plant, back, claims, cause, causes = 1 } = fault;
  const report = ((): ReturnType<typeof check> => {
    try {
      Object.entries(plant).forEach(([node, script]) => onNode(node, script));
      return check(verify);
    } finally {
      Object.entries(back).forEach(([node, script]) => onNode(node, script));
    }
  })();
  const failed = Object.entries(report.claims).flatMap(([claim, counts]) => (counts.failed > 0 ? [claim] : []));
  const told = report.causes.map(causeText);
  expect({ failed: failed.sort(), told }).toMatchObject({ failed: [...claims].sort() });
  expect(told[0]).toMatch(typeof cause === "string" ? withAddresses(cause) : cause);
  expect(told).toHaveLength(causes);
  const mended = check(verify);
  expect(failures(mended)).toEqual([]);
  expect(mended.causes).toEqual([]);
});
