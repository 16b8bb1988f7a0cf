import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, expect, test } from "vitest";
import { type ReleaseFile, releaseFiles } from "../../components/node/releases";
import { Progress } from "../../toolchain/host/progress";
import { ensureNetworkImages } from "../../toolchain/supply/networkimages";
import { hostArch } from "../../toolchain/supply/options";
import type { Origin } from "../../toolchain/supply/told";
import { ensureMirror } from "../../toolchain/supply/toolchain";

const project = join(__dirname, "..", "..");
const ends: (() => void)[] = [];
afterEach(() => ends.splice(0).forEach((end) => end()));

/** Content of each official file of this test's upstream, and the files with the checksums that pin it. */
const contentOf = (path: string): string => `the official ${path}`;
const releases: ReleaseFile[] = releaseFiles(hostArch()).map((release) => ({
  ...release,
  sha256: createHash("sha256").update(contentOf(release.path)).digest("hex"),
}));

/** A server laid out like the upstream: hosts as first folders. */
async function upstream(answer: (path: string) => string | undefined) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = (request.url ?? "/").slice(1);
    if (request.method === "GET") {
      asked.push(path);
    }
    const text = path === "registry.k8s.io/v2/" || path === "dl.k8s.io/" ? "" : answer(path);
    response.writeHead(text === undefined ? 404 : 200).end(text);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const cache = mkdtempSync(join(tmpdir(), "podnet-mirror-"));
  ends.push(() => {
    server.closeAllConnections();
    server.close();
    rmSync(cache, { recursive: true, force: true });
  });
  const { port } = server.address() as { port: number };
  const said = new PassThrough();
  const options = {
    project,
    cache,
    releases,
    progress: new Progress(said as unknown as NodeJS.WriteStream),
    upstream: (path: string) => `http://127.0.0.1:${String(port)}/${path}`,
  };
  return { options, asked, cache, said };
}

test("a reachable upstream is mirrored as it is, checksummed, and asked once", async () => {
  const { options, asked } = await upstream(contentOf);
  const [origins, failures]: [Origin[], string[]] = [[], []];
  const mirror = await ensureMirror(options, origins, failures);
  expect(failures).toEqual([]);
  expect(origins.map(({ tool, way }) => [tool, way])).toEqual(releases.map(({ name }) => [name, "official release"]));
  expect(mirror?.checksums).toEqual(Object.fromEntries(releases.map(({ path, sha256 }) => [path, sha256])));
  for (const { path } of releases) {
    expect(readFileSync(join(mirror?.mirrorDir ?? "", path), "utf8")).toBe(contentOf(path));
  }
  expect(asked.sort()).toEqual(releases.map(({ path }) => path).sort());
  expect(await ensureMirror(options, [], [])).toEqual(mirror);
  expect(asked).toHaveLength(releases.length);
});

test("a corrupt and a missing file are built instead, and all failures are reported together", async () => {
  const [corrupt, missing] = ["kubelet", "runc"].map((name) => releases.find((release) => release.name === name));
  const { options, cache } = await upstream((path) =>
    path === missing?.path ? undefined : path === corrupt?.path ? "something else" : contentOf(path),
  );
  const path = process.env["PATH"];
  // Without Go there is no third way.
  process.env["PATH"] = "/nonexistent";
  const failures: string[] = [];
  try {
    expect(await ensureMirror(options, [], failures)).toBeUndefined();
  } finally {
    process.env["PATH"] = path;
  }
  const seen = createHash("sha256").update("something else").digest("hex");
  expect(failures).toEqual([
    `kubelet: not in the cache; ${options.upstream(corrupt?.path ?? "")}: SHA-256 is ${seen}, expected ${corrupt?.sha256 ?? ""}; refused; building it failed: Go is not on PATH; install Go 1.26 or newer`,
    `runc: not in the cache; ${options.upstream(missing?.path ?? "")}: 404 Not Found; building it failed: Go is not on PATH; install Go 1.26 or newer`,
  ]);
  expect(existsSync(join(cache, "mirror"))).toBe(true);
  const again: string[] = [];
  process.env["PATH"] = "/nonexistent";
  try {
    await ensureMirror(options, [], again);
  } finally {
    process.env["PATH"] = path;
  }
  expect(again).toEqual(failures);
});

test("images of a network are left to their registry where it answers, and asked for only once where the mirror has them", async () => {
  const answered: string[] = [];
  const { options, cache } = await upstream((path) => {
    answered.push(path);
    return path === "ghcr.io/v2/" ? "" : undefined;
  });
  const mirrorDir = join(cache, "mirror");
  mkdirSync(mirrorDir);
  writeFileSync(join(mirrorDir, "SHA256SUMS"), `${"a".repeat(64)}  some/file\n`);
  const known = { "some/file": "a".repeat(64) };
  expect(await ensureNetworkImages(options, { mirrorDir, checksums: known }, ["flannel"])).toEqual(known);
  expect(answered).toContain("ghcr.io/v2/");
  const held = {
    ...known,
    "ghcr.io/flannel-io/flannel/v0.28.10.tar": "b".repeat(64),
    "ghcr.io/flannel-io/flannel-cni-plugin/v1.9.1-flannel3.tar": "c".repeat(64),
  };
  answered.length = 0;
  expect(await ensureNetworkImages(options, { mirrorDir, checksums: held }, ["flannel"])).toBe(held);
  expect(answered).toEqual([]);
  expect(await ensureNetworkImages(options, { mirrorDir, checksums: known }, [])).toBe(known);
});
