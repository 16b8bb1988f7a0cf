import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { PORTS, PROBE_NAMESPACE } from "../components/connectivity/probes";
import { startWords } from "../components/node/ask";
import { parametersText } from "../components/node/parameters";
import { PROJECT, sh } from "./common";

/** What runs on the nodes. */
const PROGRAM = readFileSync(join(PROJECT, "bench", "datapath.sh"), "utf8");
/** In `datapath.sh`, the node's own network in place of a pod's process. */
const HOST = "host";
/** Seconds of each stream. */
const SECONDS = 2;
/** Rate of the UDP stream, in Mbit/s, and the bytes of its datagrams: they fit every network's MTU. */
const UDP = { rate: 500, length: 1350 };

/** Where a measurement goes: between nodes, which is the limit; between pods of two nodes; between pods of one. */
export type Path = "node to node" | "across nodes" | "same node";
/** Every path. */
export const PATHS: readonly Path[] = ["node to node", "across nodes", "same node"];

/** What is measured on a path, with its unit; `up` says whether more is better. */
export const METRICS = {
  tcp1: { title: "TCP, 1 stream", unit: "Gbit/s", up: true },
  tcp8: { title: "TCP, 8 streams", unit: "Gbit/s", up: true },
  p50: { title: "request and response, p50", unit: "µs", up: false },
  p99: { title: "request and response, p99", unit: "µs", up: false },
  loss: { title: `UDP at ${String(UDP.rate)} Mbit/s, lost`, unit: "%", up: false },
  cpu: { title: "CPU, all of both ends", unit: "ms/Gbit", up: false },
  connections: { title: "new connections by ClusterIP", unit: "1/s", up: true },
} as const;
/** Something that is measured on a path. */
export type Metric = keyof typeof METRICS;

/** Path of a program of this machine. */
function onPath(program: string): string {
  const paths = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, program));
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) {
    throw new Error(
      `the comparison of networks needs ${program} on PATH; on Debian: apt-get install iperf3 sockperf apache2-utils`,
    );
  }
  return found;
}

/** Measures between nodes and pods of a lab, by the measuring programs that it puts there. */
export class Datapath {
  readonly #address: string;
  readonly #pods: Record<string, { readonly pid: string; readonly ip: string }> = {};

  constructor(
    private readonly name: string,
    subnet: string,
  ) {
    this.#address = subnet.replace(/\d+\/\d+$/, "");
  }

  /** Runs a part of `datapath.sh` on a node. */
  #on(node: string, ...words: readonly string[]): string {
    return sh("docker", ["exec", "-i", `${this.name}-${node}`, "bash", "--norc", "-s", "--", ...words], PROGRAM);
  }

  /** Gives every node the programs that measure, with their libraries and loader. */
  install(): void {
    const folder = mkdtempSync(join(tmpdir(), "podnet-bench-tools-"));
    try {
      sh("mkdir", ["-p", join(folder, "bin"), join(folder, "lib")]);
      for (const program of ["iperf3", "sockperf", "ab"]) {
        const path = onPath(program);
        sh("cp", ["-L", path, join(folder, "bin", program)]);
        for (const [, library = ""] of sh("ldd", [path]).matchAll(/(?:=> )?(\/\S+) \(0x/g)) {
          sh("cp", ["-L", library, join(folder, "lib", basename(library))]);
        }
      }
      for (const node of ["w1", "w2"]) {
        sh("docker", ["exec", `${this.name}-${node}`, "mkdir", "-p", "/opt/bench"]);
        sh("docker", ["cp", "-q", `${folder}/.`, `${this.name}-${node}:/opt/bench`]);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** Has a node's program give containerd images. */
  giveImages(node: string, mirror: string, images: readonly string[]): void {
    const [owner = ""] = sh("docker", ["exec", `${this.name}-${node}`, "cat", "/var/lib/podnet/owner"]).split(" ");
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

  /** Finds the probes whose networks are measured. */
  discover(): void {
    for (const [node, probe] of [
      ["w1", "probe-a"],
      ["w1", "probe-b"],
      ["w2", "probe-b"],
    ] as const) {
      const found = this.#on(node, "probe", probe);
      const [pid = "", ip = ""] = found.trim().split(" ");
      this.#pods[`${node}/${probe}`] = { pid, ip };
    }
  }

  /** Who asks on w1 and who is asked where, on a path. */
  ends(path: Path): {
    readonly from: string;
    readonly node: string;
    readonly to: string;
    readonly ip: string;
  } {
    if (path === "node to node") {
      return { from: HOST, node: "w2", to: HOST, ip: `${this.#address}12` };
    }
    const node = path === "same node" ? "w1" : "w2";
    const target = this.#pods[`${node}/probe-b`];
    return { from: this.#pods["w1/probe-a"]?.pid ?? HOST, node, to: target?.pid ?? HOST, ip: target?.ip ?? "" };
  }

  /** Measures one path once. */
  measure(path: Path, clusterIp: string | undefined): Partial<Record<Metric, number>> {
    const { from, node, to, ip } = this.ends(path);
    this.#on(node, "serve", to, ip);
    try {
      const iperf = (...options: readonly string[]): { end: Record<string, Record<string, number>> } =>
        JSON.parse(this.#on("w1", "stream", from, ip, String(SECONDS), ...options)) as {
          end: Record<string, Record<string, number>>;
        };
      const busy = cpuSeconds();
      const single = iperf("-P", "1").end["sum_received"] ?? {};
      const cpu = cpuSeconds() - busy;
      const bits = single["bits_per_second"] ?? 0;
      const many = iperf("-P", "8").end["sum_received"] ?? {};
      const udp = iperf("-u", "-b", `${String(UDP.rate)}M`, "-l", String(UDP.length)).end["sum"] ?? {};
      const ping = this.#on("w1", "pingpong", from, ip, String(SECONDS));
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
      const ab = this.#on("w1", "connections", from, `http://${clusterIp}/hostname`);
      return { ...result, connections: Number(/Requests per second: +([0-9.]+)/.exec(ab)?.[1] ?? Number.NaN) };
    } finally {
      this.#on(node, "end");
    }
  }

  /** Resident memory of what the network runs on a worker for itself, in MiB. */
  memory(): number {
    return Number(this.#on("w1", "memory").trim()) / 1024;
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
