import { chmod, copyFile, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Arch, archiveOf, imagesOf, releaseFiles, type ReleaseName } from "../../components/node/releases";
import { must } from "../host/exec";
import { type ImageRecipe, packFolder, proxyTools, sha256File, writeImageArchive } from "./images";

/** Number of the recipes by which a mirror's files are made of binaries. To be raised when they make other files. */
export const MIRROR_RECIPE = 1;

/** Binaries out of which a mirror is made, by name. */
export type Binaries = Readonly<Record<string, string>>;

/** Binaries that a release file holds, by the path inside its archive; a release without an archive is its binary. */
const ARCHIVES: Readonly<Partial<Record<ReleaseName, Readonly<Record<string, string>>>>> = {
  containerd: {
    "bin/containerd": "containerd",
    "bin/containerd-shim-runc-v2": "containerd-shim-runc-v2",
    "bin/ctr": "ctr",
  },
  "cni-plugins": { bridge: "bridge", "host-local": "host-local", loopback: "loopback", portmap: "portmap" },
  crictl: { crictl: "crictl" },
};

/** Names of all the binaries that {@link makeReleases} and {@link makeImages} need. */
export const MIRROR_BINARIES = [
  ...["kubelet", "kubeadm", "kubectl", "containerd", "containerd-shim-runc-v2", "ctr", "runc", "crictl"],
  ...["bridge", "host-local", "loopback", "portmap"],
  ...[
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "etcd",
    "coredns",
    "agnhost",
    "pause",
  ],
];

/** Path of a binary that a mirror is made of. Throws when it was not built. */
export function need(binaries: Binaries, name: string): string {
  const path = binaries[name];
  if (path === undefined) {
    throw new Error(`no binary "${name}" to make the mirror of`);
  }
  return path;
}

/** Writes one release file in the upstream's layout under `out`, made of binaries built here; its bytes depend on theirs only. */
export async function makeRelease(name: ReleaseName, binaries: Binaries, out: string, arch: Arch): Promise<string> {
  const file = releaseFiles(arch).find((release) => release.name === name);
  if (!file) {
    throw new Error(`no release "${name}"`);
  }
  const target = join(out, file.path);
  await mkdir(dirname(target), { recursive: true });
  const work = await mkdtemp(`${target}.new-`);
  try {
    const members = ARCHIVES[name];
    const ready = join(work, "ready");
    if (members === undefined) {
      await copyFile(need(binaries, name), ready);
      await chmod(ready, 0o755);
    } else {
      const root = join(work, "root");
      for (const [member, binary] of Object.entries(members)) {
        await mkdir(dirname(join(root, member)), { recursive: true });
        await copyFile(need(binaries, binary), join(root, member));
        await chmod(join(root, member), 0o755);
      }
      await packFolder(root, ready);
      await must("gzip", ["-n", "-1", ready]);
      await rename(`${ready}.gz`, ready);
    }
    await rename(ready, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return file.path;
}

/** How each image is made of binaries built here, by the image's name without registry and tag. */
async function recipes(binaries: Binaries): Promise<Record<string, Omit<ImageRecipe, "image" | "arch">>> {
  const kubernetes = (name: string): Omit<ImageRecipe, "image" | "arch"> => ({
    files: { [`/usr/local/bin/${name}`]: need(binaries, name) },
    entrypoint: [`/usr/local/bin/${name}`],
  });
  const tools = await proxyTools();
  const single = (name: string, cmd?: string[]): Omit<ImageRecipe, "image" | "arch"> => ({
    files: { [`/${name}`]: need(binaries, name) },
    entrypoint: [`/${name}`],
    ...(cmd && { cmd }),
  });
  return {
    "kube-apiserver": kubernetes("kube-apiserver"),
    "kube-controller-manager": kubernetes("kube-controller-manager"),
    "kube-scheduler": kubernetes("kube-scheduler"),
    "kube-proxy": {
      ...kubernetes("kube-proxy"),
      files: { ...tools.files, "/usr/local/bin/kube-proxy": need(binaries, "kube-proxy") },
      links: tools.links ?? {},
      texts: tools.texts ?? {},
    },
    etcd: kubernetes("etcd"),
    coredns: single("coredns"),
    pause: single("pause"),
    agnhost: single("agnhost", ["pause"]),
  };
}

/** Writes the archives of all images that nodes run, in the mirror's layout under `out`, and returns their paths. */
export async function makeImages(binaries: Binaries, out: string, arch: Arch): Promise<string[]> {
  const all = await recipes(binaries);
  const paths: string[] = [];
  for (const image of imagesOf("control-plane")) {
    const name = /([^/:]+):[^:/]+$/.exec(image)?.[1] ?? "";
    const recipe = all[name];
    if (!recipe) {
      throw new Error(`no recipe for image ${image}`);
    }
    const path = archiveOf(image);
    await writeImageArchive({ ...recipe, image, arch }, join(out, path));
    paths.push(path);
  }
  return paths;
}

/** SHA-256 of a mirror's files by path, `known` among them; also written beside them, as SHA256SUMS in sha256sum's format. */
export async function writeChecksums(
  out: string,
  paths: readonly string[],
  known: Readonly<Record<string, string>> = {},
): Promise<Record<string, string>> {
  const sums: Record<string, string> = { ...known };
  for (const path of [...paths].sort()) {
    sums[path] = await sha256File(join(out, path));
  }
  const text = Object.entries(sums)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, sum]) => `${sum}  ${path}\n`)
    .join("");
  await writeFile(join(out, "SHA256SUMS.new"), text);
  await rename(join(out, "SHA256SUMS.new"), join(out, "SHA256SUMS"));
  return sums;
}
