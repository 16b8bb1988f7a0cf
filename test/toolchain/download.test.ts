import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { releaseFiles } from "../../components/node/releases";
import { download, reachable } from "../../toolchain/supply/download";

const folder = mkdtempSync(join(tmpdir(), "podnet-download-"));
const good = "the kubelet, as its project released it";
const sum = createHash("sha256").update(good).digest("hex");
const [kubelet, kubeadm, kubectl, containerd] = releaseFiles("amd64").map(({ path }) => path);
let server: Server;
let base = "";

beforeAll(async () => {
  server = createServer((request, response) => {
    switch (request.url) {
      case `/${String(kubelet)}`:
        return void response.end(good);
      case `/${String(kubeadm)}`:
        return void response.end(`${good}, tampered with`);
      case `/${String(containerd)}`:
        return void response.writeHead(200, { "content-length": "1000" }).write("the first bytes");
      default:
        return void response.writeHead(404).end();
    }
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  base = `http://127.0.0.1:${String((server.address() as { port: number }).port)}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const target = (name: string): string => join(folder, name, "file");
const left = (name: string): string[] => {
  mkdirSync(join(folder, name), { recursive: true });
  return readdirSync(join(folder, name));
};

test("a good file arrives", async () => {
  await download(`${base}/${String(kubelet)}`, sum, target("good"));
  expect(readFileSync(target("good"), "utf8")).toBe(good);
  expect(left("good")).toEqual(["file"]);
});

test("a corrupt file is refused and leaves nothing", async () => {
  const seen = createHash("sha256").update(`${good}, tampered with`).digest("hex");
  const url = `${base}/${String(kubeadm)}`;
  await expect(download(url, sum, target("corrupt"))).rejects.toThrow(
    `${url}: SHA-256 is ${seen}, expected ${sum}; refused`,
  );
  expect(left("corrupt")).toEqual([]);
});

test("a missing file is named", async () => {
  const url = `${base}/${String(kubectl)}`;
  await expect(download(url, sum, target("missing"))).rejects.toThrow(`${url}: 404 Not Found`);
  expect(left("missing")).toEqual([]);
});

test("a server that stalls is given up on", async () => {
  const url = `${base}/${String(containerd)}`;
  await expect(download(url, sum, target("stalled"), 200)).rejects.toThrow(`${url}: nothing came for 0.2 s`);
  expect(left("stalled")).toEqual([]);
});

test("only what answers is reachable", async () => {
  expect(await reachable(`${base}/nothing`)).toBe(true);
  expect(await reachable("http://127.0.0.1:9/", 500)).toBe(false);
  expect(existsSync(target("none"))).toBe(false);
});
