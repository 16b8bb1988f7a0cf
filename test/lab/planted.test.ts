import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { causeText } from "../../components/connectivity/report/table";
import { type Fault, type Network } from "./faults/fault";
import { check, configure, createStack, failures, mustPulumi, onNode, output, run, STACK } from "./lab";

const FOLDER = join(__dirname, "faults");
/** The network of the lab, by the variable NETWORK. */
const NETWORK = (process.env["NETWORK"] ?? "bridge") as Network;
/** Names of the files of the faults; `FAULTS=name,name` picks some. */
const NAMES = readdirSync(FOLDER)
  .map((file) => file.replace(/\.ts$/, ""))
  .filter((name) => name !== "fault")
  .filter((name) => (process.env["FAULTS"]?.split(",") ?? [name]).includes(name));

/** The faults that exist on the network, by name. */
async function faults(): Promise<(readonly [string, Fault])[]> {
  const all = await Promise.all(
    NAMES.map(
      async (name) => [name, ((await import(join(FOLDER, `${name}.ts`))) as { default: Fault }).default] as const,
    ),
  );
  return all.filter(([, { networks }]) => networks.includes(NETWORK));
}

let verify = "";

beforeAll(() => {
  run("pulumi", ["destroy", "--yes", "--skip-preview", "--stack", STACK]);
  run("pulumi", ["stack", "rm", "--yes", "--force", "--stack", STACK]);
  createStack();
  configure({ network: NETWORK });
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

/** Plants a fault, makes something of it, and takes it back whatever happens. */
function planted<T>({ plant, back }: Fault, use: () => T): T {
  try {
    Object.entries(plant).forEach(([node, script]) => onNode(node, script));
    return use();
  } finally {
    Object.entries(back).forEach(([node, script]) => onNode(node, script));
  }
}

describe(`on ${NETWORK}`, async () => {
  test.each(await faults())("%s: the right claims fail, and the cause is told first", (_, fault) => {
    if ("unable" in fault) {
      planted(fault, () => expect(() => check(verify)).toThrow(fault.unable));
    } else {
      const { claims, perhaps = [], cause, causes = 1 } = { ...fault, ...fault.on?.[NETWORK] };
      const report = planted(fault, () => check(verify));
      const failed = Object.entries(report.claims).flatMap(([claim, { failed: count }]) =>
        count > 0 && !(perhaps as readonly string[]).includes(claim) ? [claim] : [],
      );
      const told = report.causes.map(causeText);
      expect({ failed: failed.sort(), told }).toMatchObject({ failed: [...claims].sort() });
      expect(told[0]).toMatch(typeof cause === "string" ? withAddresses(cause) : cause);
      expect(told).toHaveLength(causes);
    }
    const mended = check(verify);
    expect(failures(mended)).toEqual([]);
    expect(mended.causes).toEqual([]);
  });
});
