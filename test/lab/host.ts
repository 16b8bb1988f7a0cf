import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { LAB_LABEL } from "../../components/lab/engine";

/** What tells one lab's things on a host from those of everybody else. */
export interface Marks {
  /** The lab's name, which its containers, files and firewall tables bear. */
  readonly name: string;
  readonly bridge: string;
  /** Network of its nodes, once it is chosen. */
  readonly subnet?: string;
  /** Names that the host gave to what the lab made: container ids, volumes, namespaces, links. */
  readonly given: ReadonlySet<string>;
}

/** What there is on a host, by kind, one line each. */
export type HostView = Readonly<Record<string, readonly string[]>>;

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}

/** Finds a lab's marks in a line, and not those of a lab whose name or subnet begins alike. */
export function marksPattern({ name, bridge, subnet, given }: Marks): RegExp {
  const words = [name, bridge, ...given].map((word) => `(?<![\\w-])${escaped(word)}(?![0-9a-zA-Z_])`);
  const network = subnet === undefined ? [] : [`(?<![0-9.])${escaped(subnet.replace(/\d+\/24$/, ""))}\\d`];
  return new RegExp([...words, ...network].join("|"));
}

/** Lines of a host that are a lab's, sorted; the counters in them, which change by themselves, left out. */
export function tracesOf(marks: Marks, host: HostView): Record<string, string[]> {
  const pattern = marksPattern(marks);
  return Object.fromEntries(
    Object.entries(host).map(([kind, lines]) => [
      kind,
      lines
        .filter((line) => pattern.test(line))
        .map((line) => line.replace(/\[\d+:\d+\]|packets \d+ bytes \d+/g, "").trim())
        .sort(),
    ]),
  );
}

/** Lines that a program prints. One that is not installed has nothing to show; one that fails is an error. */
function linesOf(command: string, ...args: readonly string[]): string[] {
  const done = spawnSync(command, args, { encoding: "utf8", maxBuffer: 1 << 28, timeout: 60_000 });
  if (done.error && "code" in done.error && done.error.code === "ENOENT") {
    return [];
  }
  if (done.status !== 0) {
    throw new Error(`${[command, ...args].join(" ")} failed: ${done.stderr}`);
  }
  return done.stdout.split("\n").filter((line) => line !== "");
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Each process of the host: its number, command line and control groups. */
function processes(): string[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid) && pid !== String(process.pid))
    .map((pid) => {
      const command = read(`/proc/${pid}/cmdline`).split("\0").join(" ");
      return `${pid} ${command} ${read(`/proc/${pid}/cgroup`).split("\n").join(" ")}`;
    });
}

/** What there is on this host of the kinds that a lab makes things of. */
export function hostView(): HostView {
  return {
    containers: linesOf("docker", "ps", "-a", "--no-trunc", "--format", `{{.ID}} {{.Names}} {{.Label "${LAB_LABEL}"}}`),
    networks: linesOf("docker", "network", "ls", "--no-trunc", "--format", `{{.Name}} {{.Label "${LAB_LABEL}"}}`),
    volumes: linesOf("docker", "volume", "ls", "--format", "{{.Name}}"),
    links: linesOf("ip", "-o", "link"),
    addresses: linesOf("ip", "-o", "address"),
    routes: [...linesOf("ip", "-4", "route", "show", "table", "all"), ...linesOf("ip", "-4", "rule", "show")],
    neighbours: linesOf("ip", "-4", "neigh"),
    firewall: [...linesOf("nft", "list", "ruleset"), ...linesOf("iptables-save"), ...linesOf("ip6tables-save")],
    mounts: read("/proc/self/mountinfo").split("\n"),
    cgroups: linesOf("find", "/sys/fs/cgroup", "-type", "d", "-ignore_readdir_race"),
    processes: processes(),
    files: linesOf("find", "/run", "/tmp", "-maxdepth", "2", "-ignore_readdir_race"),
  };
}

/** Names that the host has given by now to what a lab made, which are all that leads to it once its containers are gone. */
export function givenNames(marks: Omit<Marks, "given">): string[] {
  const ids = linesOf("docker", "ps", "-aq", "--no-trunc", "--filter", `label=${LAB_LABEL}=${marks.name}`);
  const format = '{{.NetworkSettings.SandboxKey}}{{range .Mounts}}{{if eq .Type "volume"}} {{.Name}}{{end}}{{end}}';
  const made = ids.length === 0 ? [] : linesOf("docker", "inspect", "--format", format, ...ids);
  const links = linesOf("ip", "-o", "link")
    .filter((line) => line.includes(` master ${marks.bridge} `))
    .map((line) => /^\d+: ([^:@]+)/.exec(line)?.[1] ?? "");
  return [...ids, ...made.flatMap((line) => line.split(" ")), ...links].filter((name) => name !== "");
}
