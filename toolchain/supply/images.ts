import { createHash } from "node:crypto";
import { createReadStream, existsSync, realpathSync } from "node:fs";
import { chmod, copyFile, cp, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { must } from "../host/exec";

/** What a container image is made of. */
export interface ImageRecipe {
  /** Full name with tag, such as `registry.k8s.io/pause:3.10.2`. */
  readonly image: string;
  /** Archive of a root that the image's own files lie on, as a layer of its own; none by default. */
  readonly base?: string;
  /** Files of the image: absolute path in the image to path on this machine. */
  readonly files: Readonly<Record<string, string>>;
  /** Folders of the image: absolute path in the image to path on this machine. */
  readonly folders?: Readonly<Record<string, string>>;
  /** Small text files of the image: absolute path to content. */
  readonly texts?: Readonly<Record<string, string>>;
  /** Symbolic links of the image: absolute path to target. */
  readonly links?: Readonly<Record<string, string>>;
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly arch: "amd64" | "arm64";
}

/** SHA-256 of a file in lower-case hexadecimal. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk as Buffer);
  }
  return hash.digest("hex");
}

/** Packs a folder so that equal content gives equal bytes: sorted names, no times, no owners. */
export async function packFolder(folder: string, out: string): Promise<void> {
  await must("tar", [
    ...["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--format=ustar"],
    ...["-C", folder, "-cf", out, "."],
  ]);
}

/**
 * Writes an image as an archive that `ctr images import` and `docker load` take: the base, where there is one, and a layer
 * with the recipe's files; equal bytes for equal content. `out` appears complete or not at all.
 */
export async function writeImageArchive(recipe: ImageRecipe, out: string): Promise<void> {
  await mkdir(dirname(out), { recursive: true });
  const work = await mkdtemp(`${out}.new-`);
  try {
    const root = join(work, "root");
    for (const directory of ["tmp", "run", "etc"]) {
      await mkdir(join(root, directory), { recursive: true });
    }
    await chmod(join(root, "tmp"), 0o1777);
    for (const [to, from] of Object.entries(recipe.files)) {
      await mkdir(dirname(join(root, to)), { recursive: true });
      await copyFile(from, join(root, to));
      await chmod(join(root, to), 0o755);
    }
    for (const [to, from] of Object.entries(recipe.folders ?? {})) {
      await mkdir(dirname(join(root, to)), { recursive: true });
      await cp(from, join(root, to), { recursive: true });
      // Go's module cache is read-only, which would outlive the copy.
      await must("chmod", ["-R", "u+w", join(root, to)]);
    }
    for (const [path, text] of Object.entries(recipe.texts ?? {})) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text, { mode: 0o644 });
    }
    for (const [path, target] of Object.entries(recipe.links ?? {})) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await symlink(target, join(root, path));
    }
    const archive = join(work, "archive");
    await mkdir(archive);
    await packFolder(root, join(archive, "layer.tar"));
    const layers = ["layer.tar"];
    if (recipe.base !== undefined) {
      await copyFile(recipe.base, join(archive, "base.tar"));
      layers.unshift("base.tar");
    }
    const digests = await Promise.all(layers.map(async (layer) => `sha256:${await sha256File(join(archive, layer))}`));
    const config = JSON.stringify({
      architecture: recipe.arch,
      os: "linux",
      created: "1970-01-01T00:00:00Z",
      config: {
        Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        ...(recipe.entrypoint && { Entrypoint: recipe.entrypoint }),
        ...(recipe.cmd && { Cmd: recipe.cmd }),
        WorkingDir: "/",
      },
      rootfs: { type: "layers", diff_ids: digests },
      history: layers.map(() => ({ created: "1970-01-01T00:00:00Z", created_by: "podnet" })),
    });
    const configName = `${createHash("sha256").update(config).digest("hex")}.json`;
    await writeFile(join(archive, configName), config);
    await writeFile(
      join(archive, "manifest.json"),
      JSON.stringify([{ Config: configName, RepoTags: [recipe.image], Layers: layers }]),
    );
    await packFolder(archive, join(work, "image.tar"));
    await rename(join(work, "image.tar"), out);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Programs of this machine with the shared libraries they load, as files of an image. Throws when one is missing. */
export async function withLibraries(programs: readonly string[]): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const program of programs) {
    if (!existsSync(program)) {
      throw new Error(`${program} is missing; install the Debian package it comes from`);
    }
    files[program] = realpathSync(program);
    const listed = await must("ldd", [program]);
    for (const match of listed.matchAll(/(?:=> )?(\/\S+) \(0x/g)) {
      if (match[1] !== undefined) {
        files[match[1]] = realpathSync(match[1]);
      }
    }
  }
  return files;
}

/** Names of the protocols that Services use (https://www.iana.org/assignments/protocol-numbers). */
const PROTOCOLS = "ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nipv6-icmp 58 IPv6-ICMP\nsctp 132 SCTP\n";

/** Files of kube-proxy's image besides itself: nft, the iptables family on nftables, and their libraries. */
export async function proxyTools(): Promise<Pick<ImageRecipe, "files" | "links" | "texts">> {
  const extensions = ["/usr/lib/x86_64-linux-gnu/xtables", "/usr/lib/aarch64-linux-gnu/xtables"].find(existsSync);
  if (extensions === undefined) {
    throw new Error("the extensions of iptables are missing; install the Debian package iptables");
  }
  const modules = (await readdir(extensions))
    .filter((name) => name.endsWith(".so"))
    .map((name) => join(extensions, name));
  const multi = "/usr/sbin/xtables-nft-multi";
  const names = ["iptables", "ip6tables"].flatMap((name) => [name, `${name}-save`, `${name}-restore`]);
  return {
    files: await withLibraries(["/usr/sbin/nft", multi, ...modules]),
    // Without it nft lists protocols by number, and a kube-proxy that restarts deletes its own entries as strangers.
    texts: { "/etc/protocols": PROTOCOLS },
    links: Object.fromEntries(names.map((name) => [`/usr/sbin/${name}`, multi])),
  };
}
