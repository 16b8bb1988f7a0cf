import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { PORTS, PROBE_NAMESPACE } from "../components/connectivity/probes";
import { imageLines } from "../components/node/images";
import { parametersText } from "../components/node/parameters";
import { startWords } from "../components/node/ask";
import { quote } from "../toolchain/host/quote";
import { AGENT_NETWORKS, networkImages } from "../toolchain/supply/agents";
import { panels } from "./chart";
import { lab, machineText, PROJECT, removeLab, RESULTS, type Settings, sh } from "./common";

/** The networks that are compared, by name, with the config that chooses each. */
const NETWORKS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  bridge: { network: "bridge" },
  "flannel host-gw": { network: "flannel", flannelBackend: "host-gw" },
  "flannel vxlan": { network: "flannel", flannelBackend: "vxlan" },
  "kube-router": { network: "kube-router" },
  cilium: { network: "cilium" },
};

const ROUNDS = Number(process.env["PODNET_BENCH_ROUNDS"] ?? "5");
const SECONDS = 2;
/** Rate of the UDP stream, in Mbit/s, and the bytes of its datagrams: they fit every network's MTU. */
const UDP = { rate: 500, length: 1350 };
const STACK = ["--stack", "bench-networks"];

/** Where a measurement goes: between nodes, which is the limit; between pods of two nodes; between pods of one. */
type Path = "node to node" | "across nodes" | "same node";
const PATHS: readonly Path[] = ["node to node", "across nodes", "same node"];

/** What is measured on a path, with its unit; `up` says whether more is better. */
const METRICS = {
  tcp1: { title: "TCP, 1 stream", unit: "Gbit/s", up: true },
  tcp8: { title: "TCP, 8 streams", unit: "Gbit/s", up: true },
  p50: { title: "request and response, p50", unit: "µs", up: false },
  p99: { title: "request and response, p99", unit: "µs", up: false },
  loss: { title: `UDP at ${String(UDP.rate)} Mbit/s, lost`, unit: "%", up: false },
  cpu: { title: "CPU, all of both ends", unit: "ms/Gbit", up: false },
  connections: { title: "new connections by ClusterIP", unit: "1/s", up: true },
} as const;
type Metric = keyof typeof METRICS;

type Samples = Partial<Record<Metric, number[]>>;

/** What was measured of one network. */
interface Measured {
  readonly paths: Record<Path, Samples>;
  /** Seconds from the first command on a node to running agents and Ready nodes, images at hand. */
  readonly install: number;
  /** Resident memory of its agents on a worker, in MiB. */
  readonly memory: number;
}

class Bench {
  readonly #address: string;
  readonly #pods: Record<string, { readonly pid: string; readonly ip: string }> = {};

  constructor(
    private readonly name: string,
    subnet: string,
  ) {
    this.#address = subnet.replace(/\d+\/\d+$/, "");
  }

  on(node: string, script: string): string {
    return sh("docker", ["exec", "-i", `${this.name}-${node}`, "bash", "--norc", "-euo", "pipefail", "-s"], script);
  }

  /** Gives every node the programs that measure, with their libraries and loader. */
  install(): void {
    const folder = mkdtempSync(join(tmpdir(), "podnet-bench-tools-"));
    try {
      sh("mkdir", ["-p", join(folder, "bin"), join(folder, "lib")]);
      for (const program of ["iperf3", "sockperf", "ab"]) {
        const path = sh("sh", ["-c", `command -v ${program}`]).trim();
        sh("cp", ["-L", path, join(folder, "bin", program)]);
        for (const [, library = ""] of sh("ldd", [path]).matchAll(/(?:=> )?(\/\S+) \(0x/g)) {
          sh("cp", ["-L", library, join(folder, "lib", basename(library))]);
        }
      }
      for (const node of ["w1", "w2"]) {
        sh("docker", ["exec", `${this.name}-${node}`, "mkdir", "-p", "/opt/bench"]);
        sh("bash", [
          "-c",
          `tar -C ${quote(folder)} -cf - . | docker exec -i ${this.name}-${node} tar -C /opt/bench -xf -`,
        ]);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** Has a node's program give containerd images. */
  giveImages(node: string, mirror: string, images: readonly string[]): void {
    const [owner = ""] = this.on(node, "cat /var/lib/podnet/owner").split(" ");
    const text = parametersText("images", { node, owner, mirror, image: images });
    sh("docker", ["exec", "-i", "-w", "/root", `${this.name}-${node}`, ...startWords("images").split(" ")], text);
  }

  /** ClusterIP of a Service in front of one node's `probe-b`. */
  serviceOf(node: string): string {
    const metadata = { name: `bench-${node}`, namespace: PROBE_NAMESPACE };
    const port = { name: "tcp", protocol: "TCP" };
    const items = [
      {
        apiVersion: "v1",
        kind: "Service",
        metadata,
        spec: { ports: [{ ...port, port: PORTS.service.TCP, targetPort: PORTS.pod.TCP }] },
      },
      {
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: { ...metadata, labels: { "kubernetes.io/service-name": metadata.name } },
        addressType: "IPv4",
        ports: [{ ...port, port: PORTS.pod.TCP }],
        endpoints: [{ addresses: [this.#pods[`${node}/probe-b`]?.ip ?? ""], conditions: { ready: true } }],
      },
    ];
    const applied = this.kubectl(
      ["apply", "-o", "json", "-f", "-"],
      JSON.stringify({ apiVersion: "v1", kind: "List", items }),
    );
    const { items: made } = JSON.parse(applied) as { items: { kind: string; spec?: { clusterIP?: string } }[] };
    return made.find(({ kind }) => kind === "Service")?.spec?.clusterIP ?? "";
  }

  /** Runs kubectl on the control plane. */
  kubectl(args: readonly string[], input = ""): string {
    const words = ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", ...args];
    return sh("docker", ["exec", "-i", `${this.name}-cp`, ...words], input);
  }

  /** The command line of a measuring program, in a pod's network or the node's own. */
  tool(program: string, pid: string | undefined): string {
    const loader = "$(ls /opt/bench/lib/ld-linux*)";
    return `${pid === undefined ? "" : `nsenter -t ${pid} -n `}${loader} --library-path /opt/bench/lib /opt/bench/bin/${program}`;
  }

  /** Finds the probes whose networks are measured. */
  discover(): void {
    for (const [node, probe] of [
      ["w1", "probe-a"],
      ["w1", "probe-b"],
      ["w2", "probe-b"],
    ] as const) {
      const found = this.on(
        node,
        `pid=$(grep -lsz '^PODNET_PROBE=${probe}$' /proc/[0-9]*/environ | head -n 1 | cut -d/ -f3)
ip=$(nsenter -t "$pid" -n ip -o -4 address show dev eth0 | awk '{ sub("/.*", "", $4); print $4; exit }')
echo "$pid $ip"`,
      );
      const [pid = "", ip = ""] = found.trim().split(" ");
      this.#pods[`${node}/${probe}`] = { pid, ip };
    }
  }

  /** Who asks on w1 and who is asked where, on a path. */
  ends(path: Path): {
    readonly from: string | undefined;
    readonly node: string;
    readonly to: string | undefined;
    readonly ip: string;
  } {
    if (path === "node to node") {
      return { from: undefined, node: "w2", to: undefined, ip: `${this.#address}12` };
    }
    const node = path === "same node" ? "w1" : "w2";
    const target = this.#pods[`${node}/probe-b`];
    return { from: this.#pods["w1/probe-a"]?.pid, node, to: target?.pid, ip: target?.ip ?? "" };
  }

  /** Measures one path once. */
  measure(path: Path, clusterIp: string | undefined): Partial<Record<Metric, number>> {
    const { from, node, to, ip } = this.ends(path);
    const start = `${this.tool("iperf3", to)} -s -D -p 5999 -I /run/bench-iperf.pid >/dev/null
${this.tool("sockperf", to)} sr --tcp -i ${ip} -p 5998 >/dev/null 2>&1 & echo $! >/run/bench-sockperf.pid
sleep 0.3`;
    const stop = `for file in /run/bench-iperf.pid /run/bench-sockperf.pid; do kill -9 "$(tr -d '\\0' <$file)" 2>/dev/null || true; rm -f $file; done`;
    this.on(node, start);
    try {
      const iperf = (options: string): { end: Record<string, Record<string, number>> } =>
        JSON.parse(
          this.on("w1", `${this.tool("iperf3", from)} -c ${ip} -p 5999 -t ${String(SECONDS)} -J ${options}`),
        ) as { end: Record<string, Record<string, number>> };
      const busy = cpuSeconds();
      const single = iperf("-P 1").end["sum_received"] ?? {};
      const cpu = cpuSeconds() - busy;
      const bits = single["bits_per_second"] ?? 0;
      const many = iperf("-P 8").end["sum_received"] ?? {};
      const udp = iperf(`-u -b ${String(UDP.rate)}M -l ${String(UDP.length)}`).end["sum"] ?? {};
      const ping = this.on(
        "w1",
        `${this.tool("sockperf", from)} pp --tcp -i ${ip} -p 5998 -t ${String(SECONDS)} --msg-size 64 --full-rtt 2>&1`,
      );
      const percentile = (of: string): number =>
        Number(new RegExp(`percentile ${of} += +([0-9.]+)`).exec(ping)?.[1] ?? Number.NaN);
      const result: Partial<Record<Metric, number>> = {
        tcp1: bits / 1e9,
        tcp8: (many["bits_per_second"] ?? 0) / 1e9,
        p50: percentile("50.000"),
        p99: percentile("99.000"),
        loss: udp["lost_percent"] ?? Number.NaN,
        cpu: (cpu * 1000) / ((bits * SECONDS) / 1e9),
      };
      if (clusterIp === undefined) {
        return result;
      }
      const ab = this.on("w1", `${this.tool("ab", from)} -q -n 3000 -c 4 http://${clusterIp}/hostname 2>&1`);
      return { ...result, connections: Number(/Requests per second: +([0-9.]+)/.exec(ab)?.[1] ?? Number.NaN) };
    } finally {
      this.on(node, stop);
    }
  }

  /** Resident memory of what the network runs on a worker for itself, in MiB. */
  memory(): number {
    const programs =
      "flanneld|kube-router|cilium-agent|cilium-health-responder|/usr/local/lib/podnet/[0-9a-f]+/routes watch|ip -o monitor";
    const rows = this.on(
      "w1",
      `ps -eo rss=,args= | grep -E '${programs}' | grep -v grep | awk '{ sum += $1 } END { print sum + 0 }'`,
    );
    return Number(rows.trim()) / 1024;
  }
}

/** CPU seconds that this machine has been busy since it booted. */
function cpuSeconds(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (
    readFileSync("/proc/stat", "utf8").split("\n")[0] ?? ""
  )
    .split(/\s+/)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / 100;
}

/** Runs an update and returns the seconds between its first command on a node and its network's last step. */
function update(): number {
  const script = `pulumi up --yes --skip-preview --non-interactive ${STACK.join(" ")} 2>&1 | while IFS= read -r line; do echo "$(date +%s.%N) $line"; done; exit "\${PIPESTATUS[0]}"`;
  const output = sh("bash", ["-o", "pipefail", "-c", script]);
  const at = (pattern: RegExp): number => {
    const line = output.split("\n").find((text) => pattern.test(text));
    return Number(line?.split(" ")[0] ?? Number.NaN);
  };
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
export function benchNetworks(own: Settings): void {
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
    const bench = new Bench(name, subnet);
    let first = true;
    for (const [network, settings] of Object.entries(NETWORKS)) {
      spawnSync("pulumi", ["config", "rm", "podnet:flannelBackend", ...STACK], { cwd: PROJECT });
      configure(settings);
      let install = update();
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
