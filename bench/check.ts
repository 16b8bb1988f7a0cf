import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Checked } from "./checkProgram";
import { machineText, median, RESULTS, sh } from "./common";
import type { Fault } from "./recorded";

const SIZES = [100, 300, 1000];
const ROUNDS = Number(process.env["PODNET_BENCH_ROUNDS"] ?? "3");
/** What the check may take at 1000 nodes, without the cluster. */
const GOAL = { seconds: 20, memory: 1024 };

/** Faults that are measured at the largest size, in words. */
const FAULTS: Readonly<Record<Fault, string>> = {
  sound: "sound",
  route: "one route missing",
  nodes: "one node in a hundred cut off",
  silent: "nothing answers",
};

interface Row {
  readonly nodes: number;
  readonly fault: Fault;
  readonly runs: readonly Checked[];
}

function row(nodes: number, fault: Fault): Row {
  const program = join(__dirname, "checkProgram.js");
  const run = (): Checked => JSON.parse(sh(process.execPath, [program, String(nodes), fault])) as Checked;
  const runs = Array.from({ length: ROUNDS }, run);
  console.log(`judged ${String(nodes)} nodes, ${FAULTS[fault]}`);
  return { nodes, fault, runs };
}

const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);

function line({ nodes, fault, runs }: Row): string {
  const [first] = runs;
  const { requests = 0, proofs = 0, failed = 0, sent = 0, received = 0, sizes = {} } = first ?? {};
  const middle = (key: "seconds" | "cpu" | "memory", digits: number): string =>
    median(runs.map((run) => run[key])).toFixed(digits);
  const cells = [
    `${String(nodes)}, ${FAULTS[fault]}`,
    ...[requests, proofs, failed].map(String),
    middle("cpu", 1),
    middle("seconds", 1),
    middle("memory", 0),
    `${mib(sent)} / ${mib(received)}`,
    `${mib(sizes["json"] ?? 0)} / ${mib(sizes["html"] ?? 0)} / ${mib(sizes["junit"] ?? 0)}`,
  ];
  return `| ${cells.join(" | ")} |`;
}

/** Measures the check on recorded answers of clusters that are not there: plan, parsing, judge, proofs, causes, report in all its forms. */
export function benchCheck(): void {
  const largest = SIZES.at(-1) ?? 0;
  const rows = [
    ...SIZES.map((nodes) => row(nodes, "sound")),
    ...(["route", "nodes", "silent"] as const).map((fault) => row(largest, fault)),
  ];
  const sound = rows.find(({ nodes, fault }) => nodes === largest && fault === "sound")?.runs[0];
  const text = [
    `The check on recorded answers, without a cluster: ${machineText()}, median of ${String(ROUNDS)}. CPU seconds are those of the check;`,
    "seconds by the clock include its pauses between rounds and the writing of the recorded answers. MiB are the most that was resident,",
    `with the recorded answers. Goal at 1000 nodes: ${String(GOAL.seconds)} s, ${String(GOAL.memory)} MiB.`,
    "",
    "| nodes | requests | proofs | failed | CPU s | s | MiB | MiB sent / received | MiB of JSON / HTML / JUnit |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ...rows.map(line),
    "",
    `CPU seconds of each part, ${String(largest)} sound nodes:`,
    "",
    ...Object.entries(sound?.parts ?? {}).map(([part, seconds]) => `- ${part}: ${seconds.toFixed(2)}`),
  ].join("\n");
  console.log(text);
  writeFileSync(join(RESULTS, "check.md"), `${text}\n`);
  writeFileSync(
    join(RESULTS, "check.json"),
    `${JSON.stringify({ machine: machineText(), rounds: ROUNDS, goal: GOAL, rows }, null, 2)}\n`,
  );
}
