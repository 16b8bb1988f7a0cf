import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withLock } from "../../toolchain/host/lock";
import { recordOf } from "../../toolchain/host/process";
import { refuseBusy, removeCache, type Staying } from "../../toolchain/supply/cache";

let folder = "";
let cache = "";
const KEY = "0123456789abcdef";
/** A file of everything that podnet makes in a cache. */
const OWN = [
  `tools/kubernetes-${KEY}/kubelet`,
  `tools/kubernetes-${KEY}-pause/pause`,
  `tools/runc-${KEY}.new-aB3xYz/runc`,
  `tools/pulumi-resource-kubernetes-${KEY}.src-aB3xYz/main.go`,
  "pulumi/3.259.0/pulumi",
  `pulumi/${KEY}-${KEY}-${KEY}/pulumi`,
  "pulumi-home/plugins/resource-command-v1.2.1/x",
  `mirror/${KEY}/SHA256SUMS`,
  `mirror/${KEY}.new/x`,
  "mirror/unpacked/current/key",
  "node-image/0123456789ab.tar",
  "node-image/0123456789ab.tar.new.tar",
  "network-base/0123456789ab.tar",
];
const write = (path: string, text = ""): void => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
};
const mounted = (name: string, mountinfo: string): void => write(join(folder, "proc", name, "mountinfo"), mountinfo);
const remove = (): Promise<Staying> => removeCache(cache, join(folder, "proc"));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "podnet-cache-"));
  cache = join(folder, "cache");
  OWN.forEach((path) => write(join(cache, path)));
  mounted("1", "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n");
  mkdirSync(join(folder, "proc", "self-made"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a cache goes whole where podnet made all that is in it and no node runs from it", async () => {
  mounted("78", `9 8 254:0 /root/x ${join(cache, "mirror")}2 ro,relatime - ext4 /dev/vda rw\n`);
  expect(await remove()).toEqual({ mirrors: false, others: [] });
  expect(existsSync(cache)).toBe(false);
  expect(await remove()).toEqual({ mirrors: false, others: [] });
});

test("the images that the nodes of another clone's lab run from stay", async () => {
  mounted("77", `9 8 254:0 /root/x ${join(cache, "mirror")} ro,relatime - ext4 /dev/vda rw\n`);
  expect(await remove()).toEqual({ mirrors: true, others: [] });
  expect(existsSync(join(cache, "mirror", "unpacked"))).toBe(true);
  expect(readdirSync(cache)).toEqual(["mirror"]);
});

test("what podnet did not make stays, in its own folders too", async () => {
  const foreign = [
    "thesis.txt",
    "npm/cacache/x",
    "tools/hammer/x",
    "pulumi/notes",
    "mirror/debian/x",
    "node-image/my.tar",
  ];
  foreign.forEach((path) => write(join(cache, path), "mine"));
  const { mirrors, others } = await remove();
  expect(mirrors).toBe(false);
  const names = ["mirror", "node-image", "npm", "pulumi", "thesis.txt", "tools"];
  expect([...others].sort()).toEqual(names.map((name) => join(cache, name)));
  expect(foreign.filter((path) => !existsSync(join(cache, path)))).toEqual([]);
  expect(OWN.filter((path) => existsSync(join(cache, path)))).toEqual([]);
});

test.each(["toolchain.lock", "networks.lock", "node-image.lock"])(
  "nothing goes while another podnet holds %s",
  (name) => {
    write(join(cache, name), JSON.stringify(recordOf(process.ppid)));
    const said = `another podnet (process ${String(process.ppid)}) is at work in the caches in ${cache}, so nothing was removed there`;
    expect(() => refuseBusy(cache)).toThrow(said);
    expect(OWN.filter((path) => !existsSync(join(cache, path)))).toEqual([]);
  },
);

test("a cache in which a podnet begins to work meanwhile stays as it is", async () => {
  const unreachable = (): never => expect.unreachable("nobody else knows this cache");
  await withLock(join(cache, "networks.lock"), unreachable, () =>
    expect(remove()).rejects.toThrow(`another podnet (process ${String(process.pid)}) is at work`),
  );
  expect(OWN.filter((path) => !existsSync(join(cache, path)))).toEqual([]);
});
