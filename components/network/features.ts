import { type Asked, askedRows } from "../node/preflight";

/** One thing that a kernel may or may not have. */
interface Feature {
  /** Name for a reader. */
  readonly title: string;
  /** Names of the module that has it, as in modules.builtin, and of the build option. */
  readonly module?: string;
  readonly option?: string;
  /** Filesystem in /proc/filesystems that shows it. */
  readonly filesystem?: string;
  /** Oldest kernel version that has it. */
  readonly version?: string;
}

/** What networks need of a kernel (each project's system requirements), and how a node shows that it has it. */
export const FEATURES = {
  veth: { title: "virtual Ethernet pairs", module: "veth", option: "CONFIG_VETH" },
  bridge: { title: "Ethernet bridges", module: "bridge", option: "CONFIG_BRIDGE" },
  "br-netfilter": { title: "netfilter on bridges", module: "br_netfilter", option: "CONFIG_BRIDGE_NETFILTER" },
  "nft-masquerade": { title: "masquerade in nftables", module: "nft_masq", option: "CONFIG_NFT_MASQ" },
  "xt-masquerade": {
    title: "masquerade in iptables",
    module: "xt_MASQUERADE",
    option: "CONFIG_NETFILTER_XT_TARGET_MASQUERADE",
  },
  vxlan: { title: "VXLAN", module: "vxlan", option: "CONFIG_VXLAN" },
  "ip-set": { title: "IP sets", module: "ip_set_hash_ip", option: "CONFIG_IP_SET_HASH_IP" },
  "xt-set": { title: "matching of IP sets in iptables", module: "xt_set", option: "CONFIG_NETFILTER_XT_SET" },
  ipvs: { title: "IP Virtual Server (IPVS)", module: "ip_vs", option: "CONFIG_IP_VS" },
  dummy: { title: "dummy links", module: "dummy", option: "CONFIG_DUMMY" },
  "kernel-5.10": { title: "Linux 5.10", version: "5.10" },
  bpf: { title: "the bpf system call", option: "CONFIG_BPF_SYSCALL" },
  "bpf-jit": { title: "the BPF compiler", option: "CONFIG_BPF_JIT" },
  "cls-bpf": { title: "BPF at traffic control", module: "cls_bpf", option: "CONFIG_NET_CLS_BPF" },
  "sch-ingress": { title: "the ingress queue", module: "sch_ingress", option: "CONFIG_NET_SCH_INGRESS" },
  "cgroup-bpf": { title: "BPF on cgroups", option: "CONFIG_CGROUP_BPF" },
  bpffs: { title: "the bpf filesystem", filesystem: "bpf" },
  cgroup2: { title: "the cgroup2 filesystem", filesystem: "cgroup2" },
} as const satisfies Readonly<Record<string, Feature>>;

/** Id of a kernel feature. */
export type FeatureId = keyof typeof FEATURES;

/**
 * The questions of the preflight: which of these features and programs a machine lacks, as the tab-separated lines that the
 * program's `preflight` reads after its own text, and what is declared of it.
 */
export function preflightQuestions(
  nonce: string,
  features: readonly FeatureId[],
  programs: readonly string[],
  declared: Asked = {},
): string {
  const rows = features.map((id) => {
    const { title, module = "-", option = "-", filesystem = "-", version = "-" }: Feature = FEATURES[id];
    return ["feature", title, module, option, filesystem, version];
  });
  const all = [
    ["nonce", nonce],
    ...askedRows(declared),
    ...rows,
    ...programs.map((program) => ["program", program]),
    ["end"],
  ];
  return all.map((row) => `${row.join("\t")}\n`).join("");
}

/** One error for all that is missing on all nodes, by node, or undefined. */
export function featureProblem(
  network: string,
  missing: Readonly<Record<string, readonly string[]>>,
): string | undefined {
  const byText = new Map<string, string[]>();
  for (const [node, lines] of Object.entries(missing)) {
    for (const line of lines) {
      byText.set(line, [...(byText.get(line) ?? []), node]);
    }
  }
  if (byText.size === 0) {
    return undefined;
  }
  const rows = [...byText].map(([line, nodes]) => `  ${nodes.join(", ")}: ${line}`);
  return `the network ${network} cannot run on these machines, which were left as they are:\n${rows.join("\n")}\nchoose another network or kernel`;
}
