import { performance } from "node:perf_hooks";
import * as pulumi from "@pulumi/pulumi";
import { utils } from "ssh2";
import { BridgeNetwork, Cluster, ConnectivityCheck, SshHost } from "../components";
import { formatIpv4, parseIpv4 } from "../components/args/ipv4";

/** How the nodes' addresses lie: each next to the one before it, or anywhere in a network. */
export type Spread = "sequential" | "scattered";

/** What one plan took and held. */
export interface Planned {
  /** Seconds of the whole process, loading included. */
  readonly seconds: number;
  /** Seconds of processors, which other work on the machine disturbs less. */
  readonly cpu: number;
  /** Most memory that it had resident, in MiB. */
  readonly memory: number;
  readonly resources: number;
  /** Bytes of all inputs as JSON, secrets in the clear, an asset by its path and hash. */
  readonly bytes: number;
  /** Bytes by kind of resource: its name without what it shares with no other kind. */
  readonly kinds: Readonly<Record<string, number>>;
}

/** Keys that a plan can read. ssh2 makes one in some hundred that it cannot: those whose bytes begin with a zero. */
function makeKeys(): { readonly public: string; readonly private: string } {
  const pair = utils.generateKeyPairSync("ed25519");
  return [pair.public, pair.private].some((key) => utils.parseKey(key) instanceof Error) ? makeKeys() : pair;
}
const KEYS = makeKeys();

const ANSWERS: readonly (readonly [phase: string, answer: object])[] = [
  [
    "init",
    {
      kubeconfig: Buffer.from("clusters:\n- cluster:\n    server: https://10.0.0.1:6443\n").toString("base64"),
      caCertHash: `sha256:${"a".repeat(64)}`,
      token: "abcdef.0123456789abcdef",
    },
  ],
  ["change", { network: "bridge", generation: "1" }],
  ["network", { mtu: 1500, link: "eth0" }],
];

/** What a command would print, by what it is told. */
function stdoutOf(inputs: Readonly<Record<string, unknown>>): string {
  const { create, stdin } = inputs as { create?: unknown; stdin?: string };
  if (typeof create !== "string") {
    return "";
  }
  const nonce = /^nonce: ([0-9a-f]+)\n/.exec(stdin ?? "")?.[1];
  if (nonce === undefined) {
    return create.includes("randomUUID") ? "01234567-89ab-4cde-8f01-23456789abcd" : '{"passed":true,"claims":{}}';
  }
  const answer = ANSWERS.find(([phase]) => create.endsWith(`/start ${phase}`))?.[1] ?? {};
  return `podnet ${nonce} | ${JSON.stringify(answer)}\npodnet ${nonce} 0\n`;
}

/** Inputs without the wrappers of secrets, and assets as what state and preview show of them. */
function plain(value: unknown): unknown {
  if (value instanceof pulumi.asset.FileArchive) {
    return { path: "dist/node-program/", hash: "0".repeat(64) };
  }
  if (Array.isArray(value)) {
    return value.map(plain);
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  return pulumi.runtime.isRpcSecret(value)
    ? plain((value as { value: unknown }).value)
    : Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

/** Address of a node: the next one, or a place in the same /12 that looks like chance and is no other node's. */
function addressOf(spread: Spread, index: number): string {
  const base = parseIpv4("172.16.0.0");
  // An odd factor permutes a power of two.
  return formatIpv4(base + 256 + (spread === "sequential" ? index : (index * 0x9e375) % 2 ** 19));
}

/** A cluster of existing machines with the bridge network and the check. */
function cluster(nodes: number, spread: Spread): pulumi.Output<unknown> {
  const hosts = Array.from({ length: nodes }, (_, slot) => {
    const name = `node-${String(slot)}`;
    const connection = { host: addressOf(spread, slot), privateKey: KEYS.private, hostKey: KEYS.public };
    return [name, new SshHost(name, { slot, role: slot === 0 ? "control-plane" : "worker", connection })] as const;
  });
  const made = new Cluster("demo", {
    nodes: Object.fromEntries(hosts),
    podCidr: "10.128.0.0/12",
    serviceCidr: "10.96.0.0/16",
  });
  const network = new BridgeNetwork("network", { cluster: made });
  return new ConnectivityCheck("connectivity", { cluster: made, network }).passed;
}

class Bare extends pulumi.CustomResource {
  constructor(
    name: string,
    readonly index: number,
  ) {
    super("bench:index:Bare", name, { index });
  }
}

/** The floor: as many resources of one small input each. */
function bare(resources: number): pulumi.Output<unknown> {
  return pulumi.all(Array.from({ length: resources }, (_, index) => new Bare(`bare-${String(index)}`, index).urn));
}

/** Kind of a resource, by its name. */
function kindOf(type: string, name: string): string {
  return type.startsWith("podnet:") ? (type.split(":")[2] ?? type) : name.replace(/(node|bare)-[0-9]+/, "$1");
}

async function main(what: string, count: number): Promise<void> {
  let [resources, bytes] = [0, 0];
  const kinds: Record<string, number> = {};
  await pulumi.runtime.setMocks({
    newResource: ({ type, name, inputs }) => {
      const size = Buffer.byteLength(JSON.stringify(plain(inputs)));
      const kind = kindOf(type, name);
      resources += 1;
      bytes += size;
      kinds[kind] = (kinds[kind] ?? 0) + size;
      const shown = plain(inputs) as Record<string, unknown>;
      return { id: `${name}-id`, state: { ...(inputs as object), stdout: stdoutOf(shown) } };
    },
    call: () => ({}),
  });
  const done = what === "floor" ? bare(count) : cluster(count, what as Spread);
  await new Promise<void>((resolve) => done.apply(() => resolve()));
  await pulumi.runtime.disconnect();
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const planned: Planned = {
    seconds: performance.now() / 1000,
    cpu: (userCPUTime + systemCPUTime) / 1e6,
    memory: maxRSS / 1024,
    resources,
    bytes,
    kinds,
  };
  console.log(JSON.stringify(planned));
}

const [what = "sequential", count = "10"] = process.argv.slice(2);
void main(what, Number(count));
