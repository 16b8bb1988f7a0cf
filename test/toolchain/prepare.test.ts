import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { bridgeOf, labIdentity } from "../../components/lab/identity";
import { clonePaths } from "../../toolchain/host/paths";
import { Progress } from "../../toolchain/host/progress";
import { type Context, prepare } from "../../toolchain/make/prepare";
import type { ToolchainOptions } from "../../toolchain/supply/options";
import { type FakeDocker, fakeDocker, listed } from "../components/lab/fakeDocker";

// What `make up` writes into the config of a stack: with a set-up, a CLI and an engine of the test's own.
const HOST = "unix:///run/x.sock";
let bin = "";
let nodeImage = "";
const { room, opened } = vi.hoisted(() => ({ room: vi.fn<(what: object) => void>(), opened: vi.fn() }));
vi.mock("../../components/lab/host", () => ({ makeRoom: room }));
vi.mock("../../toolchain/host/ownEngine", async (original) => ({ ...(await original<object>()), openOutside: opened }));
vi.mock("../../toolchain/host/system", async (original) => ({
  ...(await original<object>()),
  ensurePackages: () => Promise.resolve(),
}));
vi.mock("../../toolchain/supply/networkimages", () => ({ ensureNetworkImages: () => Promise.resolve({ a: "1" }) }));
vi.mock("../../toolchain/supply/setup", () => ({
  ensureSetup: ({ cache }: ToolchainOptions) => {
    const mirrorDir = join(cache, "mirror", "key");
    const toolchain = { binDirs: [bin], mirrorDir, mirrorUrl: `file://${mirrorDir}`, checksums: {} };
    return Promise.resolve({ toolchain, dockerHost: HOST, nodeImage });
  },
}));

let folder = "";
let docker: FakeDocker;
let said: PassThrough;
let context: Context;
const path = process.env["PATH"];
const text = (): string => String((said.read() as Buffer | null) ?? "");
const there = (labName: string): string => `"ps "*"=${labName} "*) printf '${listed("x-cp", { lab: labName })}\\n' ;;`;

/** What is in the config by `make up` with this cache and this newest image. */
async function configured(cache: string, image: string): Promise<Record<string, string | undefined>> {
  nodeImage = image;
  await prepare({ ...context, cache: join(folder, cache) });
  const { settings } = JSON.parse(readFileSync(context.paths.writtenConfig, "utf8")) as {
    settings: Record<string, string>;
  };
  return {
    nodeImage: settings["nodeImage"],
    mirror: settings["mirror"]?.replace(folder, ""),
    mirrorDir: settings["mirrorDir"]?.replace(folder, ""),
  };
}

const A = { nodeImage: "node:a", mirror: "file:///a/mirror/key", mirrorDir: "/a/mirror" };
const B = { nodeImage: "node:b", mirror: "file:///b/mirror/key", mirrorDir: "/b/mirror" };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "podnet-prepare-"));
  bin = join(folder, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "pulumi"), `#!/bin/sh\n[ "$*" = version ] && echo v3.259.0 || echo '{}'\n`);
  chmodSync(join(bin, "pulumi"), 0o755);
  docker = fakeDocker();
  const project = join(folder, "clone");
  const paths = clonePaths(project);
  mkdirSync(paths.dotPodnet, { recursive: true });
  mkdirSync(join(folder, "a", "mirror"), { recursive: true });
  mkdirSync(join(folder, "b", "mirror"), { recursive: true });
  said = new PassThrough();
  const progress = new Progress(said as unknown as NodeJS.WriteStream);
  context = { project, paths, cache: "", identity: labIdentity(project), progress };
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  expect(await configured("a", "node:a")).toEqual(A);
  expect(text()).toBe("");
});
afterEach(() => {
  vi.restoreAllMocks();
  docker.restore();
  process.env["PATH"] = path;
  rmSync(folder, { recursive: true, force: true });
});

describe("a lab that stands", () => {
  beforeEach(() => docker.does(there(context.identity.name)));

  test("keeps the cache that it was made from, which its nodes see", async () => {
    expect(await configured("b", "node:a")).toEqual(A);
    expect(text()).toBe(
      `The lab keeps the cache that it was made from, ${folder}/a. To use ${folder}/b: make down, make up\n`,
    );
  });

  test("keeps its image, and is told of a new one", async () => {
    expect(await configured("a", "node:b")).toEqual(A);
    expect(text()).toBe(
      "There is a new node image, node:b. The lab keeps its own, node:a. To take it: make down, make up\n",
    );
  });

  test("keeps them under a name that somebody chose", async () => {
    writeFileSync(join(context.project, "Pulumi.lab.yaml"), "config:\n  podnet:labName: mine\n");
    docker.does(there("mine"));
    expect(await configured("b", "node:b")).toEqual(A);
  });

  test("takes another cache, and the image that goes with it, where its own is gone", async () => {
    rmSync(join(folder, "a"), { recursive: true });
    expect(await configured("b", "node:b")).toEqual(B);
    expect(text()).toBe("");
  });

  test("takes another image where its own is gone", async () => {
    docker.does(`${there(context.identity.name)}\n"image inspect"*) echo "No such image: node:a" >&2; exit 1 ;;`);
    expect(await configured("a", "node:b")).toEqual({ ...A, nodeImage: "node:b" });
    expect(text()).toBe("");
  });
});

test("a lab that has no nodes gets the newest image, of the cache that is asked for", async () => {
  expect(await configured("b", "node:b")).toEqual(B);
  expect(await configured("b", "node:c")).toEqual({ ...B, nodeImage: "node:c" });
  expect(text()).toBe("");
});

test("a setting of somebody's is theirs: what make notes as its own, make down takes out of the config", async () => {
  const { config } = context.paths;
  const noted = (): Record<string, string> =>
    (JSON.parse(readFileSync(context.paths.writtenConfig, "utf8")) as { settings: Record<string, string> }).settings;
  const before = noted();
  writeFileSync(config, "config:\n  podnet:labSubnet: 10.77.1.0/24\n  podnet:dockerHost: unix:///mine.sock\n");
  await configured("a", "node:a");
  expect(noted()).toEqual(before);
  writeFileSync(context.paths.writtenConfig, JSON.stringify({ settings: {} }));
  await configured("a", "node:a");
  expect(Object.keys(noted())).not.toContain("labSubnet");
  expect(Object.keys(noted())).toContain("labName");
});

/** Gives the host these routes, as iproute2 prints them. */
function hostRoutes(json: string): void {
  const ip = join(docker.folder, "bin", "ip");
  writeFileSync(ip, `#!/bin/sh\necho '${json}'\n`);
  chmodSync(ip, 0o755);
}

test("a lab's subnet lies in none of the cluster's own addresses", async () => {
  const { config, writtenConfig } = context.paths;
  const subnet = async (settings: string): Promise<string> => {
    rmSync(writtenConfig, { force: true });
    writeFileSync(config, `config:\n${settings}`);
    await configured("a", "node:a");
    return (JSON.parse(readFileSync(writtenConfig, "utf8")) as { settings: { labSubnet: string } }).settings.labSubnet;
  };
  hostRoutes("[]");
  expect(await subnet("")).toMatch(/^172\./);
  expect(await subnet("  podnet:podCidr: 172.16.0.0/12\n")).toMatch(/^192\.168\./);
  expect(await subnet("  podnet:podCidr: none\n  podnet:serviceCidr: 172.16.0.0/12\n")).toMatch(/^192\.168\./);
});

test("a subnet, a name and an engine of the config are what room is looked for and the network is opened for", async () => {
  const { config, writtenConfig } = context.paths;
  rmSync(writtenConfig);
  // A VPN that claims all that a lab would choose from.
  hostRoutes('[{"dst":"128.0.0.0/1","dev":"tun0"},{"dst":"10.0.0.0/8","dev":"tun0"}]');
  await expect(configured("a", "node:a")).rejects.toThrow("Choose one yourself: pulumi config set podnet:labSubnet");
  writeFileSync(config, "config:\n  podnet:labSubnet: 100.64.7.0/24\n  podnet:labName: mine\n");
  room.mockClear();
  await configured("a", "node:a");
  expect(room.mock.calls[0]?.[0]).toMatchObject({ labName: "mine", network: bridgeOf("mine") });
  expect(opened.mock.calls.at(-1)).toEqual([context.identity, context.paths, HOST, "100.64.7.0/24"]);
});
