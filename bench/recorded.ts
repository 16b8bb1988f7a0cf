import { formatIpv4, parseIpv4 } from "../components/args/ipv4";
import type { CheckInput } from "../components/connectivity/input";
import { PROBES } from "../components/connectivity/probes";
import type { ProbePod } from "../components/connectivity/request";
import type { ListedPod } from "../components/connectivity/pods";
import type { SeenProbe } from "../components/connectivity/driver";
import type { KubeClient } from "../components/kubernetes/client";
import type { CommandResult, Shell } from "../components/machine/shell";

/** What is wrong in a recorded cluster: nothing, one missing route, a node's pods cut off in a hundred, or no answer at all. */
export type Fault = "sound" | "route" | "nodes" | "silent";

/** Addresses of the nodes, of the pods and of the Services. */
const [NODES, PODS, SERVICE, HAIRPIN] = [parseIpv4("172.16.1.0"), parseIpv4("10.128.0.0"), "10.96.1.1", "10.96.2.1"];

/** A cluster of so many nodes that is not there: what its nodes and its API would answer, as text. */
export class Recorded {
  readonly input: CheckInput;
  readonly pods: readonly ProbePod[];
  /** Seconds of processors that it took to write the answers, which a real run does not spend. */
  spent = 0;
  /** Bytes that were sent to the nodes, and those that came back. */
  sent = 0;
  received = 0;
  readonly #names: readonly string[];
  readonly #places: ReadonlyMap<string, number>;
  readonly #byAddress: ReadonlyMap<string, ProbePod>;
  #members: readonly string[] = [];
  #fresh: readonly object[] = [];

  constructor(
    readonly count: number,
    readonly fault: Fault,
    seed: number,
  ) {
    this.#names = Array.from({ length: count }, (_, slot) => `node-${String(slot)}`);
    this.#places = new Map(this.#names.map((name, slot) => [name, slot]));
    this.input = {
      kubeconfig: "",
      image: "",
      podsAlone: false,
      dnsDomain: "cluster.local",
      nodes: Object.fromEntries(
        this.#names.map((name, slot) => [
          name,
          { internalIp: nodeIp(slot), podCidr: cidr(slot), mtu: 1500, works: {} },
        ]),
      ),
      connections: {},
      probeServices: { probe: SERVICE, hairpin: HAIRPIN },
      services: [],
      network: {
        id: "bridge",
        conflist: "10-podnet.conflist",
        enforcesPolicy: false,
        notApplicable: [{ promise: "policy", reason: "the bridge network enforces no policies" }],
      },
      seed,
      readyTimeout: 1,
    };
    this.pods = this.#names.flatMap((node, slot) =>
      PROBES.map((probe, index) => ({
        probe,
        node,
        name: `${probe}-${node}`,
        ip: probe === "probe-host" ? nodeIp(slot) : podIp(slot, 2 + index),
      })),
    );
    this.#byAddress = new Map(this.pods.filter(({ probe }) => probe !== "probe-host").map((pod) => [pod.ip, pod]));
  }

  /** The probes as their own nodes see them, and the nodes' addresses. */
  discovered(): { seen: Record<string, SeenProbe[]>; addresses: Record<string, string[]> } {
    const seen: Record<string, SeenProbe[]> = {};
    for (const { probe, node, name, ip } of this.pods) {
      (seen[node] ??= []).push({ probe, pid: 1, downwardIp: ip, interfaceIps: [ip], podName: name });
    }
    const addresses = Object.fromEntries(this.#names.map((name, slot) => [name, [nodeIp(slot), podIp(slot, 1)]]));
    return { seen, addresses };
  }

  /** Pods of the cluster: the probes, and thirty others a node. */
  listed(): ListedPod[] {
    return this.#names.flatMap((node, slot) =>
      Array.from({ length: 32 }, (_, index) => ({
        name: `n/p-${String(slot)}-${String(index)}`,
        node,
        ip: podIp(slot, 2 + index),
      })),
    );
  }

  /** The cluster's DNS, on two nodes. */
  dns(): { readonly nodes: string[]; readonly pods: { name: string; node: string; ip: string }[] } {
    const pods = this.#names
      .slice(0, 2)
      .map((node, slot) => ({ name: `coredns-${String(slot)}`, node, ip: podIp(slot, 9) }));
    return { nodes: pods.map(({ node }) => node), pods };
  }

  /** Names of the pods behind the check's own Service. */
  serve(members: readonly string[]): void {
    this.#members = members;
  }

  /** Shells of the nodes that answer as the node program would. */
  shells(): ReadonlyMap<string, Shell> {
    return new Map(
      this.#names.map((name, slot) => {
        const run = (words: string, text: string): Promise<CommandResult> => {
          const started = cpuSeconds();
          const nonce = /^nonce: (\w+)/.exec(text)?.[1] ?? "";
          const lines = words.endsWith(" probe")
            ? this.#probe(slot, text)
            : words.endsWith(" status")
              ? [this.#status(slot)]
              : [];
          const told = lines.map((line) => `podnet ${nonce} | ${line}\n`).join("");
          // As it comes over a wire: a text that shares nothing with another.
          const stdout = Buffer.from(`${told}podnet ${nonce} 0\n`).toString("utf8");
          this.sent += text.length;
          this.received += stdout.length;
          this.spent += cpuSeconds() - started;
          return Promise.resolve({ code: 0, stdout, stderr: "" });
        };
        return [name, { name, run } as unknown as Shell];
      }),
    );
  }

  /** An API server that has the probes, and makes pods at once. */
  client(): KubeClient {
    const get = (path: string, schema: { parse: (value: unknown) => unknown }): Promise<unknown> => {
      const items = path.includes("endpointslices")
        ? [
            {
              endpoints: this.#members.map((name) => ({
                addresses: ["10.0.0.1"],
                conditions: { ready: true },
                targetRef: { kind: "Pod", name },
              })),
            },
          ]
        : path.includes("fresh")
          ? this.#fresh
          : [];
      return Promise.resolve(schema.parse({ items }));
    };
    const create = (_: string, body: { metadata: { name: string }; spec: { nodeName?: string } }): Promise<void> => {
      const slot = this.#places.get(body.spec.nodeName ?? "") ?? 0;
      const metadata = { ...body.metadata, namespace: "n" };
      const status = { phase: "Running", podIP: podIp(slot, 200), conditions: [{ type: "Ready", status: "True" }] };
      this.#fresh = [...this.#fresh, { metadata, spec: body.spec, status }];
      return Promise.resolve();
    };
    const patch = (path: string, body: unknown): Promise<void> => {
      const name = path.slice(path.lastIndexOf("/") + 1);
      const rest = this.#members.filter((member) => member !== name);
      this.#members = JSON.stringify(body).includes("null") ? rest : [...rest, name];
      return Promise.resolve();
    };
    return { get, create, patch, delete: () => Promise.resolve() } as unknown as KubeClient;
  }

  /** What `podnet probe` answers on a node. */
  #probe(slot: number, text: string): string[] {
    return text.split("\n").flatMap((line) => {
      const [key, id = "", probe = "", kind = "", what = "", count = ""] = line.split(" ");
      return key === "request:" ? this.#answer(slot, id, probe, kind, what, count) : [];
    });
  }

  #answer(slot: number, id: string, probe: string, kind: string, what: string, count: string): string[] {
    const own = probe === "probe-host" ? nodeIp(slot) : podIp(slot, probe === "probe-a" ? 2 : 3);
    const url = new URL(kind === "fetch" ? what : "http://0.0.0.0/");
    const query = url.searchParams;
    const to = kind === "fetch" ? (query.get("host") ?? url.hostname) : (what.split(/[:@]/)[0] ?? "");
    const silent = this.#dropped(slot, to);
    switch (kind) {
      case "fetch": {
        if (silent && url.pathname !== "/dial") {
          return [`w-${probe}:${id} code 28 0.000000 Connection timed out after 1500 milliseconds`];
        }
        const timing = `w-${probe}:${id} code 0 0.000321 `;
        if (url.pathname === "/clientip") {
          return [`${id}:${own}:40000`, timing];
        }
        if (url.pathname !== "/dial") {
          return [timing];
        }
        if (silent) {
          return [`${id}:{"errors":["i/o timeout"]}`, timing];
        }
        return [`${id}:${JSON.stringify({ responses: this.#dialled(slot, own, to, probe, query) })}`, timing];
      }
      case "reach": {
        const lost = what.split(",").filter((address) => this.#dropped(slot, address));
        const good = what.split(",").length - lost.length;
        const ended = "28 Connection timed out after 1500 milliseconds";
        return good >= lost.length
          ? [`${id}:most ${String(good)} 0 ${own}:40000`, ...lost.map((address) => `${id}:${address} ${ended}`)]
          : [
              `${id}:most ${String(lost.length)} ${ended}`,
              ...what
                .split(",")
                .filter((address) => !lost.includes(address))
                .map((address) => `${id}:${address} 0 ${own}:40000`),
            ];
      }
      case "packet":
        return silent || Number(count) > 1500
          ? [`${id}:ping: local error: message too long, mtu=1500`, `${id}:code 1`]
          : [`${id}:code 0`];
      case "loss":
        return [
          `${id}:${count} packets transmitted, ${silent ? "0" : count} received, 0% packet loss, time 9ms`,
          ...(silent ? [] : [`${id}:rtt min/avg/max/mdev = 0.031/0.048/0.102/0.008 ms, ipg/ewma 0.212/0.051 ms`]),
          `${id}:code ${silent ? "1" : "0"}`,
        ];
      case "resolve":
        return silent ? [`${id}:code 1`] : [`${id}:${SERVICE}       STREAM probe`, `${id}:code 0`];
      default:
        return [`${id}:code ${silent ? "1" : "0"}`];
    }
  }

  #dialled(slot: number, own: string, to: string, probe: string, query: URLSearchParams): string[] {
    if (query.get("request") === "clientip") {
      return [`${own}:40000`];
    }
    if (to === SERVICE) {
      const tries = Number(query.get("tries"));
      return Array.from({ length: tries }, (_, index) => this.#members[index % this.#members.length] ?? "");
    }
    const node = this.#names[slot] ?? "";
    const pod = to === "127.0.0.1" || to === HAIRPIN ? `${probe}-${node}` : this.#byAddress.get(to)?.name;
    return [pod ?? this.#freshAt(to)];
  }

  #freshAt(address: string): string {
    const found = (this.#fresh as { metadata: { name: string }; status: { podIP: string } }[]).find(
      ({ status }) => status.podIP === address,
    );
    return found?.metadata.name ?? "";
  }

  /** Whether what a node sends to an address is lost. */
  #dropped(slot: number, to: string): boolean {
    if (this.fault === "sound" || to === "127.0.0.1") {
      return false;
    }
    if (this.fault === "silent") {
      return true;
    }
    const address = parseIpv4(/^[0-9.]+$/.test(to) ? to : "0.0.0.0");
    const target =
      address >= PODS && address < PODS + 256 * this.count ? Math.floor((address - PODS) / 256) : undefined;
    if (target === undefined || target === slot) {
      return false;
    }
    const cut = (one: number): boolean => (this.fault === "nodes" ? one % 100 === 7 : false);
    const pair = (slot === 2 && target === 5) || (slot === 5 && target === 2);
    return this.fault === "route" ? pair : cut(slot) || cut(target);
  }

  /** What `podnet status` answers on a node. */
  #status(slot: number): string {
    const others = this.#names.flatMap((_, other) => (other === slot ? [] : [other]));
    const wanted = others.map((other) => `${cidr(other)} via ${nodeIp(other)}`);
    const missing = this.fault === "route" && slot === 2 ? `${cidr(5)} via ${nodeIp(5)}` : "";
    const taken = others.flatMap((other) => [1, 254].map((last) => `${podIp(other, last)} via ${nodeIp(other)}`));
    return JSON.stringify({
      owner: { id: "11111111-2222-3333-4444-555555555555", node: this.#names[slot], cluster: "demo" },
      program: "0123456789abcdef",
      works: {},
      installed: {},
      files: Array.from({ length: 40 }, (_, index) => ({
        path: `/etc/podnet/${String(index)}`,
        sha256: "a".repeat(64),
        now: "as-made",
      })),
      units: ["containerd", "kubelet", "podnet-network"].map((name) => ({
        name,
        active: "active",
        enabled: "enabled",
      })),
      sysctls: [{ key: "net.ipv4.ip_forward", wanted: "1", now: "1", before: "0" }],
      overruled: [],
      network: { id: "bridge", kind: "bridge", podCidr: "10.128.0.0/12", parameters: [] },
      conflists: ["10-podnet.conflist"],
      routes: { wanted, now: wanted.filter((route) => route !== missing), taken },
      bridge: {
        name: "cni0",
        up: true,
        addresses: [`${podIp(slot, 1)}/24`],
        ports: Array.from({ length: 32 }, (_, index) => ({
          name: `veth${String(index)}`,
          up: true,
          hairpin: true,
          isolated: false,
        })),
      },
      egress: { wanted: true, now: "as-made" },
      forward: { drops: false, accepted: false },
      links: [],
    });
  }
}

/** Seconds of processors that this process has used. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function nodeIp(slot: number): string {
  return formatIpv4(NODES + slot);
}

function cidr(slot: number): string {
  return `${podIp(slot, 0)}/24`;
}

function podIp(slot: number, last: number): string {
  return formatIpv4(PODS + 256 * slot + last);
}
