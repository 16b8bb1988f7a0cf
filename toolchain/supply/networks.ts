import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Arch, archiveOf } from "../../components/node/releases";
import { type AgentNetwork, NETWORK_IMAGES, networkImages } from "./agents";
import { moduleDir } from "./build";
import { makeDebianRoot, SUITE } from "./debian";
import { type ImageRecipe, withLibraries, writeImageArchive } from "./images";
import { type Binaries, need } from "./mirror";
import { NETWORK_SOURCES } from "./pins";

/** Number of the recipes by which the networks' images are made. To be raised when they make other images. */
export const NETWORK_RECIPE = 1;

/** Debian packages that a network's images need besides its own programs. Cilium's agent compiles its BPF with clang. */
const PACKAGES: Readonly<Record<AgentNetwork, readonly string[]>> = {
  flannel: ["iproute2", "iptables", "nftables", "ca-certificates"],
  "kube-router": ["iproute2", "iptables", "ipset", "kmod", "conntrack", "ca-certificates"],
  cilium: ["iproute2", "iptables", "ipset", "kmod", "clang-19", "ca-certificates"],
};

/** What no program of an image reads: documentation, package lists, logs, and what a compiler of BPF needs nothing of. */
const SLIM = [
  ...["/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/var/lib/apt/lists", "/var/cache/apt", "/var/log"],
  ...["/usr/include", "/usr/lib/gcc", "/usr/lib/*/*.a", "/usr/lib/*/lib?san.so*", "/usr/lib/*/libclang-19.so*"],
  ...["/usr/lib/*/libubsan.so*", "/usr/lib/llvm-19/lib/LLVMPolly.so", "/usr/lib/*/perl", "/usr/lib/*/libgprofng*"],
]
  .map((path) => `rm -rf "$1"${path}`)
  .join("; ");

/** Archive in the cache of the root that a network's images lie on. */
export function baseArchive(network: AgentNetwork, cache: string, arch: Arch): string {
  const key = createHash("sha256")
    .update(JSON.stringify([SUITE, arch, PACKAGES[network], SLIM]))
    .digest("hex")
    .slice(0, 12);
  return join(cache, "network-base", `${key}.tar`);
}

/** Makes the root that a network's images lie on, of Debian packages. */
export function makeBase(network: AgentNetwork, cache: string, arch: Arch): Promise<void> {
  return makeDebianRoot(PACKAGES[network], SLIM, baseArchive(network, cache, arch));
}

type Recipe = Omit<ImageRecipe, "image" | "arch" | "base">;

/** How each image of a network is made of binaries built here, by the image's name. */
async function recipesOf(
  network: AgentNetwork,
  project: string,
  binaries: Binaries,
  arch: Arch,
): Promise<Record<string, Recipe>> {
  switch (network) {
    case "flannel": {
      const flanneld = "/opt/bin/flanneld";
      return {
        [NETWORK_IMAGES.flannel.agent]: {
          files: { [flanneld]: need(binaries, "flanneld"), "/opt/bin/install-conf": need(binaries, "install-conf") },
          entrypoint: [flanneld],
        },
        // Its container copies the plugin to the node.
        [NETWORK_IMAGES.flannel.cniPlugin]: {
          files: { ...(await withLibraries(["/bin/cp"])), "/flannel": need(binaries, "flannel") },
        },
      };
    }
    case "kube-router": {
      const program = "/usr/local/bin/kube-router";
      return {
        [NETWORK_IMAGES["kube-router"].agent]: {
          files: { [program]: need(binaries, "kube-router") },
          entrypoint: [program],
        },
      };
    }
    case "cilium": {
      const [source] = NETWORK_SOURCES.cilium;
      if (!source) {
        throw new Error("no source of cilium");
      }
      const module = await moduleDir(project, source, "github.com/cilium/cilium", arch);
      const programs = ["cilium-agent", "cilium-health-responder", "cilium-dbg", "cilium-mount", "cilium-sysctlfix"];
      return {
        [NETWORK_IMAGES.cilium.agent]: {
          files: {
            ...Object.fromEntries(programs.map((name) => [`/usr/bin/${name}`, need(binaries, name)])),
            "/opt/cni/bin/cilium-cni": need(binaries, "cilium-cni"),
            "/install-plugin.sh": join(module, "plugins", "cilium-cni", "install-plugin.sh"),
            "/cni-uninstall.sh": join(module, "plugins", "cilium-cni", "cni-uninstall.sh"),
            "/init-container.sh": join(module, "images", "cilium", "init-container.sh"),
          },
          folders: { "/var/lib/cilium/bpf": join(module, "bpf") },
          links: {
            "/usr/bin/clang": "/usr/lib/llvm-19/bin/clang",
            "/usr/bin/cilium": "/usr/bin/cilium-dbg",
          },
          cmd: ["/usr/bin/cilium-dbg"],
        },
        [NETWORK_IMAGES.cilium.operator]: {
          files: { "/usr/bin/cilium-operator-generic": need(binaries, "cilium-operator-generic") },
          entrypoint: ["/usr/bin/cilium-operator-generic"],
        },
      };
    }
  }
}

/** Images that hold all they need and lie on no root. */
const WITHOUT_BASE: readonly string[] = [NETWORK_IMAGES.cilium.operator, NETWORK_IMAGES.flannel.cniPlugin];

/** Writes the archives of a network's images, which lie on its base, in the mirror's layout under `out`. Returns their paths. */
export async function makeNetworkImages(
  network: AgentNetwork,
  binaries: Binaries,
  options: { readonly project: string; readonly cache: string },
  out: string,
  arch: Arch,
): Promise<string[]> {
  const recipes = await recipesOf(network, options.project, binaries, arch);
  const base = baseArchive(network, options.cache, arch);
  await mkdir(out, { recursive: true });
  const paths: string[] = [];
  for (const image of networkImages(network)) {
    const recipe = recipes[image];
    if (!recipe) {
      throw new Error(`no recipe for image ${image}`);
    }
    const path = archiveOf(image);
    const below = WITHOUT_BASE.includes(image) ? {} : { base };
    await writeImageArchive({ ...recipe, ...below, image, arch }, join(out, path));
    paths.push(path);
  }
  return paths;
}
