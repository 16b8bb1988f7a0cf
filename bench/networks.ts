import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { imageLines } from "../components/node/images";
import { AGENT_NETWORKS, networkImages } from "../toolchain/supply/agents";
import { panels } from "./chart";
import { lab, machineText, PROJECT, removeLab, RESULTS, type Settings, sh } from "./common";
import { Datapath, type Metric, METRICS, type Path, PATHS } from "./datapath";

/** The networks that are compared, by name, with the config that chooses each. */
const NETWORKS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  bridge: { network: "bridge" },
  "flannel host-gw": { network: "flannel", flannelBackend: "host-gw" },
  "flannel vxlan": { network: "flannel", flannelBackend: "vxlan" },
  "kube-router": { network: "kube-router" },
  cilium: { network: "cilium" },
};

const ROUNDS = Number(process.env["PODNET_BENCH_ROUNDS"] ?? "5");
const STACK = ["--stack", "bench-networks"];

type Samples = Partial<Record<Metric, number[]>>;

/** What was measured of one network. */
interface Measured {
  readonly paths: Record<Path, Samples>;
  /** Seconds from the first command on a node to running agents and Ready nodes, images at hand. */
  readonly install: number;
  /** Resident memory of its agents on a worker, in MiB. */
  readonly memory: number;
}

/** Runs an update and returns the seconds between its first command on a node and its network's last step. */
async function update(): Promise<number> {
  const pulumi = spawn("pulumi", ["up", "--yes", "--skip-preview", "--non-interactive", ...STACK], { cwd: PROJECT });
  const ended = once(pulumi, "exit");
  const lines: { readonly at: number; readonly text: string }[] = [];
  for await (const text of createInterface({ input: pulumi.stdout })) {
    lines.push({ at: Date.now() / 1000, text });
  }
  if ((await ended)[0] !== 0) {
    throw new Error(`pulumi up failed:\n${lines.map(({ text }) => text).join("\n")}`);
  }
  const at = (pattern: RegExp): number => lines.find(({ text }) => pattern.test(text))?.at ?? Number.NaN;
  return at(/network-enable (created|updated|replaced) /) - at(/network-on-(cp|w1|w2) (creating|updating) /);
}

/** Middle, least and most of several samples. */
interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return { median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2, min: at(0), max: at(sorted.length - 1) };
}

const digits = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

/** Compares the networks on one lab: datapath, installation and memory, each beside node to node in the same minutes. */
export async function benchNetworks(own: Settings): Promise<void> {
  const { name, subnet, bridge } = lab("networks");
  spawnSync("pulumi", ["destroy", "--yes", "--skip-preview", ...STACK], { cwd: PROJECT });
  spawnSync("pulumi", ["stack", "rm", "--yes", "--force", ...STACK], { cwd: PROJECT });
  removeLab(name, bridge);
  sh("pulumi", ["stack", "init", "bench-networks"]);
  const configure = (settings: Readonly<Record<string, string>>): void => {
    const pairs = Object.entries(settings).flatMap(([key, value]) => ["--plaintext", `podnet:${key}=${value}`]);
    sh("pulumi", ["config", "set-all", ...STACK, ...pairs]);
  };
  const results: Record<string, Measured> = {};
  try {
    configure({ ...own, labName: name, labSubnet: subnet });
    const bench = new Datapath(name, subnet);
    let first = true;
    for (const [network, settings] of Object.entries(NETWORKS)) {
      spawnSync("pulumi", ["config", "rm", "podnet:flannelBackend", ...STACK], { cwd: PROJECT });
      configure(settings);
      let install = await update();
      if (first) {
        bench.install();
        const checksums = JSON.parse(own.checksums) as Record<string, string>;
        const images = imageLines(AGENT_NETWORKS.flatMap(networkImages), checksums);
        for (const node of ["cp", "w1", "w2"]) {
          bench.giveImages(node, own.mirror, images);
        }
        first = false;
      }
      install = Math.round(install * 10) / 10;
      bench.discover();
      const clusterIps: Record<Path, string | undefined> = {
        "node to node": undefined,
        "across nodes": bench.serviceOf("w2"),
        "same node": bench.serviceOf("w1"),
      };
      const paths: Record<Path, Samples> = { "node to node": {}, "across nodes": {}, "same node": {} };
      for (let round = 0; round < ROUNDS; round++) {
        for (const path of PATHS) {
          for (const [metric, value] of Object.entries(bench.measure(path, clusterIps[path]))) {
            (paths[path][metric as Metric] ??= []).push(value);
          }
        }
      }
      results[network] = { paths, install, memory: bench.memory() };
      console.log(`measured ${network}`);
    }
  } finally {
    spawnSync("pulumi", ["destroy", "--yes", "--skip-preview", ...STACK], { cwd: PROJECT });
    spawnSync("pulumi", ["stack", "rm", "--yes", "--force", ...STACK], { cwd: PROJECT });
    removeLab(name, bridge);
  }
  report(results);
}

function report(results: Readonly<Record<string, Measured>>): void {
  const machine = machineText();
  const names = Object.keys(results);
  const of = (network: string, path: Path, metric: Metric): Spread =>
    spread(results[network]?.paths[path][metric] ?? []);
  const cell = ({ median, min, max }: Spread): string =>
    Number.isNaN(median) ? "" : `${digits(median)} (${digits(min)} to ${digits(max)})`;
  const rows = (Object.keys(METRICS) as Metric[]).flatMap((metric) =>
    PATHS.filter((path) => !(metric === "connections" && path === "node to node")).map((path) => {
      const { title, unit } = METRICS[metric];
      return [`${title}, ${path} (${unit})`, ...names.map((network) => cell(of(network, path, metric)))];
    }),
  );
  for (const path of ["across nodes", "same node"] as const) {
    rows.splice(path === "across nodes" ? 3 : 4, 0, [
      `TCP, 1 stream, ${path} / node to node`,
      ...names.map((network) =>
        (of(network, path, "tcp1").median / of(network, "node to node", "tcp1").median).toFixed(2),
      ),
    ]);
  }
  rows.push(["install (s)", ...names.map((network) => digits(results[network]?.install ?? Number.NaN))]);
  rows.push([
    "agents' memory on a worker (MiB)",
    ...names.map((network) => digits(results[network]?.memory ?? Number.NaN)),
  ]);
  const table = [
    `| median of ${String(ROUNDS)} (least to most); ${machine} | ${names.join(" | ")} |`,
    `| --- |${names.map(() => " --- |").join("")}`,
    ...rows.map((row) => `| ${row.join(" | ")} |`),
  ].join("\n");
  console.log(table);
  writeFileSync(join(RESULTS, "networks.md"), `${table}\n`);
  writeFileSync(join(RESULTS, "networks.json"), `${JSON.stringify({ machine, rounds: ROUNDS, results }, null, 2)}\n`);
  const bars = (metric: Metric) =>
    names.flatMap((network) =>
      (["across nodes", "same node"] as const).map((path) => ({
        name: network,
        second: path === "same node",
        ...of(network, path, metric),
      })),
    );
  const limit = (metric: Metric): number | undefined =>
    metric === "connections"
      ? undefined
      : spread(names.flatMap((network) => results[network]?.paths["node to node"][metric] ?? [])).median;
  const single = (title: string, unit: string, value: (measured: Measured) => number) => ({
    title: `${title} (${unit})`,
    bars: names.map((network) => {
      const measured = results[network];
      const number = measured ? value(measured) : Number.NaN;
      return { name: network, second: false, median: number, min: number, max: number };
    }),
  });
  writeFileSync(
    join(RESULTS, "networks.svg"),
    panels(
      `Networks compared: ${machine}, one lab, median of ${String(ROUNDS)}, whiskers from least to most`,
      { first: "across nodes", second: "same node", limit: "node to node" },
      [
        ...(Object.keys(METRICS) as Metric[]).map((metric) => ({
          title: `${METRICS[metric].title} (${METRICS[metric].unit}, ${METRICS[metric].up ? "more" : "less"} is better)`,
          bars: bars(metric),
          limit: limit(metric),
        })),
        single("seconds to install", "s, less is better", ({ install }) => install),
        single("agents' memory on a worker", "MiB, less is better", ({ memory }) => memory),
      ],
    ),
  );
}
