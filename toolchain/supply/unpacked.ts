import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { archiveOf, imagesOf, releaseFiles } from "../../components/node/releases";
import { must } from "../host/exec";
import { hostArch } from "./options";

/** Number of the way a store is made. To be raised when the script makes it otherwise. */
const STORE_RECIPE = 1;

/** What a store of unpacked images is made of. */
export interface StoreInput {
  /** Path under the mirror of containerd's release, which unpacks them and will read them. */
  readonly containerd: string;
  /** Path under the mirror of each image's archive, by image. */
  readonly archives: Readonly<Record<string, string>>;
  /** SHA-256 of the mirror's files by path. */
  readonly checksums: Readonly<Record<string, string>>;
}

/**
 * What the store of a mirror with these files is made of: all images of a control plane, which has a worker's too. Undefined
 * where the mirror lacks some, as it does when nodes pull them.
 */
export function storeInput(checksums: Readonly<Record<string, string>>): StoreInput | undefined {
  const containerd = releaseFiles(hostArch()).find(({ name }) => name === "containerd")?.path;
  const archives = Object.fromEntries(imagesOf("control-plane").map((image) => [image, archiveOf(image)]));
  const whole = Object.values(archives).every((path) => checksums[path] !== undefined);
  return containerd === undefined || !whole ? undefined : { containerd, archives, checksums };
}

/** Which archive of each image a store holds unpacked: its SHA-256 by image, as a node reads it. */
export function preloaded({ archives, checksums }: StoreInput): Record<string, string> {
  return Object.fromEntries(Object.entries(archives).map(([image, path]) => [image, checksums[path] ?? ""]));
}

/** Key of a store: equal archives and an equal containerd give equal keys. */
export function storeKey(input: StoreInput): string {
  const made = [STORE_RECIPE, hostArch(), input.checksums[input.containerd], preloaded(input)];
  return createHash("sha256").update(JSON.stringify(made)).digest("hex").slice(0, 16);
}

/**
 * Folder of all stores, beside the mirrors, so that a lab node that has those has these. In it `current` is the store that a
 * new node starts with; older ones stay, since nodes that started with them read them.
 */
export function storesDir(mirrorDir: string): string {
  return join(dirname(mirrorDir), "unpacked");
}

/** Whether this process can make a store: its files are root's, as they are in images. */
export function canUnpack(): boolean {
  return process.getuid?.() === 0;
}

/** Whether the store of a mirror is there. */
export function hasStore(mirrorDir: string, input: StoreInput): boolean {
  return existsSync(join(storesDir(mirrorDir), storeKey(input), "preloaded.json"));
}

/** Unpacks a mirror's images into a store, unless it is there. It appears complete or not at all. */
export async function makeStore(project: string, mirrorDir: string, input: StoreInput): Promise<void> {
  if (hasStore(mirrorDir, input)) {
    return;
  }
  const target = join(storesDir(mirrorDir), storeKey(input));
  await mkdir(dirname(target), { recursive: true });
  const work = await mkdtemp(`${target}.new-`);
  try {
    const script = join(project, "toolchain", "supply", "unpack-images");
    const files = [input.containerd, ...Object.values(input.archives)].map((path) => join(mirrorDir, path));
    await must("unshare", ["--mount", script, work, ...files], {
      env: { ...process.env, STORE: join(target, "store") },
    });
    await writeFile(join(work, "key"), storeKey(input));
    await writeFile(join(work, "preloaded.json"), `${JSON.stringify(preloaded(input), undefined, 2)}\n`);
    await chmod(work, 0o755);
    await rm(target, { recursive: true, force: true });
    await rename(work, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Makes a store the one that new nodes start with. */
export async function chooseStore(mirrorDir: string, input: StoreInput): Promise<void> {
  const current = join(storesDir(mirrorDir), "current");
  const key = storeKey(input);
  if ((await readFile(join(current, "key"), "utf8").catch(() => "")) === key) {
    return;
  }
  const link = `${current}.new-${String(process.pid)}`;
  await rm(link, { force: true });
  await symlink(key, link);
  await rename(link, current);
}
