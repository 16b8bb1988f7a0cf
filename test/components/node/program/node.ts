import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cpSync } from "node:fs";
import { type Arch, releaseFiles, type ReleaseName } from "../../../../components/node/releases";
import type { Parameters } from "../../../../components/node/parameters";
import { type Asked, askedRows, preflightText } from "../../../../components/node/preflight";
import { type Machine, temporary } from "./machine";

/** The owner of the stack whose node the machine is. */
export const OWNER = { owner: "11111111-2222-3333-4444-555555555555", node: "w1" };
/** The hash of a phase's files, as the plan gives it. */
export const FILES = "0123456789abcdef";

/** Parameters of each phase as a plan of a small cluster gives them. */
export const TAKE: Parameters = { ...OWNER, cluster: "demo", files: FILES };

/** Parameters of a control plane. */
export const INIT: Parameters = {
  ...OWNER,
  cluster: "demo",
  kubernetes: "v1.36.3",
  "internal-ip": "192.0.2.11",
  "kubelet-config": '{"evictionHard":{"nodefs.available":"0%"}}',
  "ignore-preflight-error": ["NumCPU"],
  "pod-cidr": "10.244.0.0/16",
  "service-cidr": "10.96.0.0/16",
  "node-pod-cidr": "10.244.0.0/24",
  "dns-domain": "cluster.local",
  "cert-san": ["192.0.2.11", "api.example.com"],
};

/** The nonce that tests ask the preflight with. */
export const NONCE = "0123456789abcdef";

/** What the preflight is asked of a worker. */
export const DECLARED: Asked = {
  ...OWNER,
  role: "worker",
  "internal-ip": "192.0.2.11",
  conflist: "10-podnet.conflist",
  "pod-cidr": "10.244.0.0/16",
  "service-cidr": "10.96.0.0/16",
};

/** The preflight with all that it is asked of a machine, as a text for the machine's shell. */
export function preflightQuestion(program: string, declared: Asked): string {
  const rows = [["nonce", NONCE], ...askedRows(declared), ["end"]];
  return preflightText(program) + rows.map((row) => `${row.join("\t")}\n`).join("");
}

/** Parameters of the bridge network on a node with two peers. */
export const BRIDGE: Parameters = {
  ...OWNER,
  network: "bridge",
  kind: "bridge",
  "internal-ip": "192.0.2.11",
  "pod-cidr": "10.244.0.0/16",
  "node-pod-cidr": "10.244.1.0/24",
  overhead: 0,
  egress: "podnet",
  "replaces-kube-proxy": "no",
  route: ["10.244.0.0/24 via 192.0.2.10", "10.244.2.0/24 via 192.0.2.12"],
  files: FILES,
};

/** Parameters of a network of agents. */
export function agentNetwork(kind: string, network: string): Parameters {
  const rest = Object.fromEntries(Object.entries(BRIDGE).filter(([name]) => name !== "route"));
  return { ...rest, network, kind, egress: "agent" };
}

const MEMBERS: Readonly<Partial<Record<ReleaseName, readonly string[]>>> = {
  containerd: ["bin/containerd", "bin/containerd-shim-runc-v2", "bin/ctr", "bin/containerd-stress"],
  "cni-plugins": ["./bridge", "./host-local", "./loopback", "./portmap", "./vlan"],
  crictl: ["crictl"],
};

const IMAGE = "registry.k8s.io/pause:3.10.2";
const IMAGE_PATH = "registry.k8s.io/pause/3.10.2.tar";

/** A mirror whose programs are stand-ins. */
export interface Mirror {
  readonly folder: string;
  readonly parameters: Parameters;
}

/** Makes a mirror in which every program of the releases is a stand-in; `text` is added to each, so that another has other sums. */
export function makeMirror(machine: Machine, text = ""): Mirror {
  const arch: Arch = process.arch === "arm64" ? "arm64" : "amd64";
  const folder = temporary("mirror");
  const program = machine.read("/usr/local/sbin/systemctl") + text;
  const put = (path: string, content: string): void => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    chmodSync(path, 0o755);
  };
  const sum = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");
  const sums = releaseFiles(arch).map(({ name, path }) => {
    const target = join(folder, path);
    const members = MEMBERS[name];
    if (members === undefined) {
      put(target, `${program}# ${name}\n`);
    } else {
      const unpacked = temporary("release");
      members.forEach((member) => put(join(unpacked, member), `${program}# ${member}\n`));
      mkdirSync(dirname(target), { recursive: true });
      execFileSync(
        "tar",
        ["-czf", target, "-C", unpacked, ...members.map((member) => member.split("/")[0] ?? "")].filter(
          (word, index, all) => all.indexOf(word) === index || index < 4,
        ),
      );
    }
    return `${name} ${sum(target)}`;
  });
  put(join(folder, IMAGE_PATH), "an image");
  return {
    folder,
    parameters: {
      ...OWNER,
      role: "worker",
      kubernetes: "v1.36.3",
      "pause-image": IMAGE,
      mirror: "file:///mirror",
      sum: sums,
      image: [`${IMAGE} ${sum(join(folder, IMAGE_PATH))}`],
      files: FILES,
    },
  };
}

/** Gives the machine a mirror and returns the parameters of the installation from it. */
export function installFrom(machine: Machine, text = ""): Parameters {
  const mirror = makeMirror(machine, text);
  cpSync(mirror.folder, machine.path("/mirror"), { recursive: true });
  // The image is there once it was imported.
  machine.answers(
    "ctr",
    `mkdir -p /var/lib/containerd
case $* in
    *"images import"*) touch /var/lib/containerd/imported ;;
    *"images ls"*) [ ! -e /var/lib/containerd/imported ] || echo "$*" ;;
esac
`,
  );
  return mirror.parameters;
}
