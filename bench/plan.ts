import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { machineText, median, RESULTS, sh } from "./common";
import type { Planned, Spread } from "./planProgram";

const SIZES = [10, 100, 1000];
const ROUNDS = Number(process.env["PODNET_BENCH_ROUNDS"] ?? "3");
/** What a node may cost at 1000 nodes, and what all of them may. */
const GOAL = { resources: 6, bytes: 4096, seconds: 20, memory: 1024 };

function plan(what: Spread | "floor", count: number): Planned {
  return JSON.parse(sh(process.execPath, [join(__dirname, "planProgram.js"), what, String(count)])) as Planned;
}

/** Plans of one size, each with a floor right after it: as many bare resources. */
interface Row {
  readonly spread: Spread;
  readonly nodes: number;
  readonly plans: readonly Planned[];
  readonly floors: readonly Planned[];
}

function row(spread: Spread, nodes: number): Row {
  const plans: Planned[] = [];
  const floors: Planned[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const planned = plan(spread, nodes);
    plans.push(planned);
    floors.push(plan("floor", planned.resources));
  }
  console.log(`planned ${String(nodes)} nodes, addresses ${spread}`);
  return { spread, nodes, plans, floors };
}

const span = (values: readonly number[]): string =>
  `${median(values).toFixed(1)} (${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)})`;

function line({ spread, nodes, plans, floors }: Row): string {
  const [first] = plans;
  const ratios = plans.map(({ cpu }, index) => cpu / (floors[index]?.cpu ?? Number.NaN));
  const each = (key: "seconds" | "cpu" | "memory"): string =>
    `${span(plans.map((planned) => planned[key]))} / ${span(floors.map((floor) => floor[key]))}`;
  return [
    "",
    `${String(nodes)}, ${spread}`,
    ((first?.resources ?? 0) / nodes).toFixed(2),
    ((first?.bytes ?? 0) / nodes).toFixed(0),
    each("seconds"),
    each("cpu"),
    span(ratios),
    each("memory"),
    "",
  ]
    .join(" | ")
    .trim();
}

/** Measures plans of clusters of existing machines, with Pulumi's mocks: resources, bytes of inputs, seconds and memory. */
export function benchPlan(): void {
  const rows = (["sequential", "scattered"] as const).flatMap((spread) => SIZES.map((nodes) => row(spread, nodes)));
  const largest = rows.find(({ spread, nodes }) => spread === "sequential" && nodes === SIZES.at(-1));
  const kinds = Object.entries(largest?.plans[0]?.kinds ?? {})
    .map(([kind, bytes]) => ({ kind, bytes: bytes / (largest?.nodes ?? 1) }))
    .filter(({ bytes }) => bytes >= 10)
    .sort((a, b) => b.bytes - a.bytes);
  const text = [
    `Plans of existing machines with the bridge network and the check, by mocks: ${machineText()}, median of ${String(ROUNDS)}`,
    "(least to most), each beside its floor: as many bare resources of one number each, planned right after it.",
    `Goal at 1000 nodes: ${String(GOAL.resources)} resources and ${String(GOAL.bytes)} bytes a node, ${String(GOAL.seconds)} s, ${String(GOAL.memory)} MiB.`,
    "",
    "| nodes, addresses | resources a node | bytes a node | seconds / floor | CPU seconds / floor | CPU ratio | MiB / floor |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...rows.map(line),
    "",
    `Bytes a node by resource, ${String(largest?.nodes)} nodes with sequential addresses:`,
    "",
    ...kinds.map(({ kind, bytes }) => `- ${kind}: ${bytes.toFixed(0)}`),
  ].join("\n");
  console.log(text);
  writeFileSync(join(RESULTS, "plan.md"), `${text}\n`);
  writeFileSync(
    join(RESULTS, "plan.json"),
    `${JSON.stringify({ machine: machineText(), rounds: ROUNDS, goal: GOAL, rows }, null, 2)}\n`,
  );
}
