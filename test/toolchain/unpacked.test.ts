import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { archiveOf, imagesOf, releaseFiles } from "../../components/node/releases";
import { hostArch } from "../../toolchain/supply/options";
import {
  chooseStore,
  hasStore,
  makeStore,
  preloaded,
  storeInput,
  type StoreInput,
  storeKey,
  storesDir,
} from "../../toolchain/supply/unpacked";

const project = join(__dirname, "..", "..");
let cache = "";
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "podnet-unpacked-"));
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

const containerd = releaseFiles(hostArch()).find(({ name }) => name === "containerd")?.path ?? "";
const sums = {
  [containerd]: "c".repeat(64),
  ...Object.fromEntries(imagesOf("control-plane").map((image) => [archiveOf(image), "a".repeat(64)])),
};

describe("a store of unpacked images", () => {
  test("is there for mirrors that hold all images, and keyed by what they are and by containerd", () => {
    const input = storeInput(sums);
    if (!input) {
      throw new Error("no input");
    }
    expect(Object.keys(preloaded(input))).toEqual(imagesOf("control-plane"));
    expect(preloaded(input)["registry.k8s.io/pause:3.10.2"]).toBe("a".repeat(64));
    const pause = archiveOf("registry.k8s.io/pause:3.10.2");
    expect(storeInput({ ...sums, [pause]: undefined } as never)).toBeUndefined();
    expect(storeKey(input)).toMatch(/^[0-9a-f]{16}$/);
    expect(storeKey({ ...input, checksums: { ...sums, kubectl: "another" } })).toBe(storeKey(input));
    for (const path of [pause, containerd]) {
      expect(storeKey({ ...input, checksums: { ...sums, [path]: "b".repeat(64) } })).not.toBe(storeKey(input));
    }
  });
});

/** A release of containerd whose programs only leave behind what the real ones do: one layer and one content per image. */
function fakeContainerd(path: string, importing: string): void {
  const root = mkdtempSync(join(cache, "release-"));
  const programs = {
    containerd: `#!/bin/sh
root=$(sed -n 's/^root = "\\(.*\\)"/\\1/p' "$2")
mkdir -p "$root/io.containerd.metadata.v1.bolt" "$root/io.containerd.content.v1.content/blobs/sha256"
echo "$root" >"$(dirname "$2")/root"
mkdir -p "$root/io.containerd.snapshotter.v1.overlayfs/snapshots"
trap 'echo ended >"$root/io.containerd.metadata.v1.bolt/meta.db"; exit 0' TERM
while :; do sleep 0.05; done
`,
    ctr: `#!/bin/sh
root=$(cat "$(dirname "$2")/root")
[ "$3" != version ] || exec test -d "$root/io.containerd.snapshotter.v1.overlayfs/snapshots"
${importing}
`,
  };
  for (const [name, text] of Object.entries(programs)) {
    mkdirSync(join(root, "bin"), { recursive: true });
    writeFileSync(join(root, "bin", name), text);
    chmodSync(join(root, "bin", name), 0o755);
  }
  mkdirSync(dirname(path), { recursive: true });
  execFileSync("tar", ["-C", root, "-czf", path, "bin"]);
}

describe("making a store", () => {
  const mirror = (): string => join(cache, "mirror", "0123");
  const input: StoreInput = {
    containerd: "containerd.tar.gz",
    archives: { "example.org/one:1": "one.tar", "example.org/two:1": "two.tar" },
    checksums: { "containerd.tar.gz": "c", "one.tar": "1", "two.tar": "2" },
  };
  const leftovers = (): string[] => readdirSync(storesDir(mirror())).filter((name) => name.includes("new"));

  test("gives a seed that is links into the store, and a list of what it holds", async () => {
    fakeContainerd(
      join(mirror(), input.containerd),
      `name=$(basename "$7" .tar)
mkdir -p "$root/io.containerd.snapshotter.v1.overlayfs/snapshots/$name/fs" "$root/io.containerd.snapshotter.v1.overlayfs/snapshots/$name/work"
echo layer >"$root/io.containerd.snapshotter.v1.overlayfs/snapshots/$name/fs/file"
echo content >"$root/io.containerd.content.v1.content/blobs/sha256/$name"`,
    );
    await makeStore(project, mirror(), input);
    await chooseStore(mirror(), input);
    const folder = join(storesDir(mirror()), storeKey(input));
    expect(folder.startsWith(join(cache, "mirror", "unpacked"))).toBe(true);
    expect(hasStore(mirror(), input)).toBe(true);
    expect(readlinkSync(join(storesDir(mirror()), "current"))).toBe(storeKey(input));
    const layer = join(folder, "seed", "io.containerd.snapshotter.v1.overlayfs", "snapshots", "one", "fs");
    expect(readlinkSync(layer)).toBe(join(folder, "store", "layers", "one"));
    expect(readFileSync(join(layer, "file"), "utf8")).toBe("layer\n");
    const content = join(folder, "seed", "io.containerd.content.v1.content", "blobs", "sha256", "two");
    expect(readlinkSync(content)).toBe(join(folder, "store", "contents", "two"));
    // A containerd that was killed would leave a database that nobody can read.
    expect(readFileSync(join(folder, "seed", "io.containerd.metadata.v1.bolt", "meta.db"), "utf8")).toBe("ended\n");
    expect(JSON.parse(readFileSync(join(folder, "preloaded.json"), "utf8"))).toEqual({
      "example.org/one:1": "1",
      "example.org/two:1": "2",
    });
    expect(existsSync(join(folder, "root"))).toBe(false);
    expect(leftovers()).toEqual([]);
  });

  test("leaves nothing where an image cannot be unpacked, and says why", async () => {
    fakeContainerd(join(mirror(), input.containerd), `echo "ctr: no space left" >&2; exit 1`);
    await expect(makeStore(project, mirror(), input)).rejects.toThrow("ctr: no space left");
    expect(hasStore(mirror(), input)).toBe(false);
    expect(leftovers()).toEqual([]);
  });
});
