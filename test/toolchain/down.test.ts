import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import { labIdentity } from "../../components/lab/identity";
import { clonePaths } from "../../toolchain/host/paths";
import { recordOf } from "../../toolchain/host/process";
import { Progress } from "../../toolchain/host/progress";
import { clean, down } from "../../toolchain/make/down";
import type { Context } from "../../toolchain/make/prepare";
import { Stack } from "../../toolchain/make/stack";
import { ENGINE_DOWN, type FakeDocker, fakeDocker, listed } from "../components/lab/fakeDocker";

// `make down` with a CLI and an engine of the test's own.
const HOST = "unix:///run/x.sock";
let bin = "";
vi.mock("../../toolchain/supply/toolchain", () => ({ ensureToolchain: () => Promise.resolve({ binDirs: [bin] }) }));
vi.mock("../../components/lab/raised", async (original) => ({
  ...(await original<object>()),
  leaveHost: () => [],
  isOvertaken: () => false,
}));

// Another clone can be at the same path, in another container with the same engine.
const identity = labIdentity("/builds/podnet");
const lab = { labName: identity.name, owner: "me", network: identity.bridge, dockerHost: HOST };
const host = {
  urn: "urn:pulumi:lab::podnet::command:local:Command::lab-host",
  type: "command:local:Command",
  inputs: { create: "exec node lab-host", stdin: JSON.stringify({ ...lab, nodes: 3 }) },
};

let folder = "";
let docker: FakeDocker;
let context: Context;
let said: PassThrough;
let destroy: MockInstance;
const path = process.env["PATH"];

/** All that was said so far. */
const text = (): string => String((said.read() as Buffer | null) ?? "");
const removals = (): string[] => docker.calls().filter((call) => /^(network )?rm /.test(call));

/** What the CLI was asked to do for the backend's stacks. */
const asked = (): string[] =>
  readFileSync(join(folder, "calls"), "utf8")
    .split("\n")
    .filter((line) => /^stack (ls|rm)/.test(line));

/** A CLI with this state and other stacks with so many resources, whose destroy ends so. */
function pulumi(deployment: object, succeeded = true, others: Readonly<Record<string, number>> = {}): void {
  const stacks = Object.entries({ lab: 3, ...others }).map(([name, resourceCount]) => ({ name, resourceCount }));
  writeFileSync(join(folder, "stacks"), JSON.stringify(stacks));
  writeFileSync(join(folder, "state"), JSON.stringify({ version: 3, deployment }));
  destroy = vi.spyOn(Stack.prototype, "destroy").mockResolvedValue({ succeeded, changed: true, proven: false });
  writeFileSync(
    join(bin, "pulumi"),
    `#!/bin/sh
cd '${folder}'
echo "$*" >>calls
case "$*" in
version) echo v3.259.0 ;;
"stack export"*) cat state ;;
"stack ls"*) cat stacks ;;
*) echo '{}' ;;
esac
`,
  );
  chmodSync(join(bin, "pulumi"), 0o755);
}

/** An engine that has one container and the network under the lab's name, of this stack. */
function engineHas(owner: string): void {
  const container = listed(`${identity.name}-cp`, { lab: identity.name, owner, networks: identity.bridge });
  docker.does(`"ps "*) [ -e gone ] || printf '${container}\\n' ;;
"network ls"*) [ -e network-gone ] || echo ${identity.bridge} ;;
"network inspect"*) printf '${identity.name}\\t${owner}\\t10.9.0.0/24\\n' ;;
"rm "*) touch gone ;;
"network rm"*) touch network-gone ;;`);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "podnet-down-"));
  bin = join(folder, "bin");
  mkdirSync(bin);
  docker = fakeDocker();
  const project = join(folder, "clone");
  const paths = { ...clonePaths(project), run: join(folder, "run") };
  mkdirSync(paths.state, { recursive: true });
  writeFileSync(paths.passphrase, "p");
  writeFileSync(paths.writtenConfig, JSON.stringify({ settings: { dockerHost: HOST } }));
  said = new PassThrough();
  const progress = new Progress(said as unknown as NodeJS.WriteStream);
  context = { project, paths, cache: "/cache", identity, progress };
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
});
afterEach(() => {
  vi.restoreAllMocks();
  docker.restore();
  process.env["PATH"] = path;
  rmSync(folder, { recursive: true, force: true });
});

describe("make down", () => {
  test("removes by its mark what a destroy left of the lab, and then all that is the clone's", async () => {
    pulumi({ resources: [host] }, false);
    engineHas("me");
    expect(await down(context)).toBe(0);
    expect(removals()).toEqual([`rm -f -v id-of-${identity.name}-cp`, `network rm ${identity.bridge}`]);
    expect(existsSync(context.paths.dotPodnet)).toBe(false);
    expect(text()).toContain('Everything is down. The caches in /cache stay; "make clean" removes them too.\n');
  });

  test.each([
    ["was refused", {}],
    ["has a mark of its own", { resources: [host] }],
  ])("leaves another stack's lab of the name, where the clone's lab %s", async (_, deployment) => {
    pulumi(deployment);
    engineHas("somebody");
    expect(await down(context)).toBe(0);
    expect(removals()).toEqual([]);
    expect(text()).toContain(
      `docker network ${identity.bridge} belongs to lab ${identity.name} of another stack, somebody, so it stays\n` +
        `container ${identity.name}-cp belongs to lab ${identity.name} of another stack, somebody, so it stays\n`,
    );
    expect(existsSync(context.paths.dotPodnet)).toBe(false);
  });

  test("without a state refuses a lab that bears a mark, and removes nothing", async () => {
    rmSync(context.paths.state, { recursive: true });
    engineHas("somebody");
    await expect(down(context)).rejects.toThrow(
      [
        `docker network ${identity.bridge} belongs to lab ${identity.name} of another stack, somebody`,
        `container ${identity.name}-cp belongs to lab ${identity.name} of another stack, somebody`,
        "This clone has no state that says whose that is, so it stays, and nothing was removed. " +
          `If it may go: docker rm -f -v ${identity.name}-cp; docker network rm ${identity.bridge}; then "make down" again`,
      ].join("\n"),
    );
    expect(removals()).toEqual([]);
    expect(existsSync(context.paths.passphrase)).toBe(true);
  });

  test("without a state removes a lab that bears no mark", async () => {
    rmSync(context.paths.state, { recursive: true });
    engineHas("");
    expect(await down(context)).toBe(0);
    expect(removals()).toEqual([`rm -f -v id-of-${identity.name}-cp`, `network rm ${identity.bridge}`]);
  });
});

test("make down refuses where the host has the lab's bridge and no engine answers: nothing would be removed", async () => {
  rmSync(context.paths.state, { recursive: true });
  rmSync(context.paths.writtenConfig);
  docker.does(ENGINE_DOWN);
  await expect(down({ ...context, identity: { ...identity, bridge: "lo" } })).rejects.toThrow(
    "this host has the bridge lo of this clone's lab, and no container engine answers that could remove it. Nothing was removed. " +
      `Start the engine that the lab is in, or set DOCKER_HOST to it, then "make down" again; ` +
      "if it is gone for good with all that was in it: ip link delete lo",
  );
  expect(existsSync(context.paths.passphrase)).toBe(true);
});

test("make down asks for each lab the engine that the state names, and for the clone's the one of its config", async () => {
  const elsewhere = {
    ...host,
    inputs: { ...host.inputs, stdin: JSON.stringify({ ...lab, labName: "b", dockerHost: "unix:///b" }) },
  };
  writeFileSync(context.paths.config, "config:\n  podnet:labName: mine\n");
  pulumi({ resources: [elsewhere] });
  docker.does('"ps "*) echo "$DOCKER_HOST $*" >>asked ;;');
  expect(await down(context)).toBe(0);
  const asked = [...readFileSync(join(docker.folder, "asked"), "utf8").matchAll(/^(\S+) .*label=podnet.lab=(\S+)/gm)];
  expect([...new Set(asked.map(([, engine, name]) => `${name ?? ""} in ${engine ?? ""}`))]).toEqual([
    "b in unix:///b",
    `mine in ${HOST}`,
  ]);
});

describe("make down, of a clone with another stack,", () => {
  beforeEach(() => {
    writeFileSync(context.paths.kubeconfig, "k");
    mkdirSync(context.paths.engineData);
    mkdirSync(context.paths.pulumiHome);
  });

  test("keeps what that one's resources need, and says so", async () => {
    pulumi({ resources: [host] }, true, { prod: 12, empty: 0, "organization/other/lab": 1 });
    expect(await down(context)).toBe(0);
    expect(asked()).toEqual([
      "stack ls --all --json --non-interactive",
      "stack rm --yes --force --preserve-config --stack lab --non-interactive",
    ]);
    expect(readdirSync(context.paths.dotPodnet).sort()).toEqual(["docker", "passphrase", "pulumi-home", "state"]);
    expect(text().trimEnd()).toBe(
      "The stack lab is down. Other stacks of this clone have resources: prod (12 resources), organization/other/lab (1 resource). " +
        "Their states and the passphrase stay. " +
        'To take them down too: pulumi destroy --stack NAME, in the environment of "make env"; then "make down"',
    );
  });

  test("leaves nothing where that one has no resources", async () => {
    pulumi({ resources: [host] }, true, { empty: 0 });
    expect(await down(context)).toBe(0);
    expect(existsSync(context.paths.dotPodnet)).toBe(false);
  });

  test("make clean refuses, and removes nothing", async () => {
    pulumi({ resources: [host] }, true, { prod: 12 });
    await expect(clean(context)).rejects.toThrow(
      'other stacks of this clone have resources: prod (12 resources). "make clean" would remove what they need, so nothing was ' +
        'removed. Take them down first: pulumi destroy --stack NAME, in the environment of "make env". "make down" takes down the stack lab alone',
    );
    expect(asked()).toEqual(["stack ls --all --json --non-interactive"]);
    expect(destroy).not.toHaveBeenCalled();
    expect(existsSync(context.paths.kubeconfig)).toBe(true);
  });
});

test("make down keeps the clone's own engine while it has labs of stacks that are kept elsewhere", async () => {
  pulumi({ resources: [host] });
  const dockerd = spawn("sleep", ["60"], { stdio: "ignore" });
  writeFileSync(context.paths.engine, JSON.stringify({ process: recordOf(dockerd.pid ?? 0) }));
  mkdirSync(context.paths.engineData);
  docker.does(
    `"ps "*"label=podnet.lab "*) printf '${listed("b-cp", { lab: "b" })}\\n${listed("a-cp", { lab: "a" })}\\n' ;;`,
  );
  try {
    expect(await down(context)).toBe(0);
    expect(recordOf(dockerd.pid ?? 0)).toBeDefined();
  } finally {
    dockerd.kill();
  }
  expect(readdirSync(context.paths.dotPodnet).sort()).toEqual(["docker", "engine.json"]);
  expect(text().trimEnd()).toBe(
    "The stack lab is down. The clone's container engine stays: it has the labs a, b of stacks that are kept elsewhere.",
  );
});

describe("make down leaves of the stack's config", () => {
  const SALT = "encryptionsalt: v1:abc=:v1:def\n";
  const settings = { labName: "podnet-x", checksums: '{"it\'s":"1"}', mtu: "1400", dockerHost: HOST };
  const WRITTEN = `config:\n  podnet:checksums: '{"it''s":"1"}'\n  podnet:dockerHost: ${HOST}\n  podnet:labName: podnet-x\n`;

  /** What is left of this file, and what of the clone's folder. */
  async function left(config: string, written: object = settings): Promise<[string | undefined, string[]]> {
    const file = join(context.project, "Pulumi.lab.yaml");
    writeFileSync(file, config);
    writeFileSync(context.paths.writtenConfig, JSON.stringify({ settings: written }));
    pulumi({});
    await down(context);
    const { dotPodnet } = context.paths;
    return [
      existsSync(file) ? readFileSync(file, "utf8") : undefined,
      existsSync(dotPodnet) ? readdirSync(dotPodnet) : [],
    ];
  }

  test("nothing, where make wrote all of it", async () => {
    expect(await left(`${SALT}${WRITTEN}  podnet:mtu: "1400"\n`)).toEqual([undefined, []]);
    expect(text()).not.toContain("Pulumi.lab.yaml");
  });

  test("what was set by hand", async () => {
    const own = "  podnet:network: cilium\n  podnet:mtu: 1500\n  # mine\n  podnet:nodes:\n    cp: {slot: 0}\n";
    expect(await left(`${SALT}${WRITTEN}${own}`)).toEqual([`config:\n${own}`, []]);
    expect(text()).toContain("Pulumi.lab.yaml stays, with what was set there by hand.\n");
  });

  test("a secret, its seal and the passphrase that opens it", async () => {
    const own = "  podnet:sshPrivateKey:\n    secure: v1:xyz\n";
    expect(await left(`${SALT}${WRITTEN}${own}`)).toEqual([`${SALT}config:\n${own}`, ["passphrase"]]);
  });

  test("all of it, where nobody knows what make wrote", async () => {
    expect(await left(`${SALT}${WRITTEN}`, {})).toEqual([WRITTEN, []]);
  });
});

test("make down that was interrupted while it removed what the clone keeps can be run again", async () => {
  const { pulumiHome, state, passphrase, dotPodnet } = context.paths;
  const busy = join(pulumiHome, "logs");
  mkdirSync(busy, { recursive: true });
  pulumi({ resources: [] });
  docker.does("");
  execFileSync("mount", ["-t", "tmpfs", "tmpfs", busy]);
  try {
    await expect(down(context)).rejects.toThrow("EBUSY");
  } finally {
    execFileSync("umount", [busy]);
  }
  expect([existsSync(state), existsSync(passphrase)]).toEqual([false, true]);
  expect(await down(context)).toBe(0);
  expect(existsSync(dotPodnet)).toBe(false);
});

test("make down keeps the passphrase while another stack's config is sealed with it", async () => {
  writeFileSync(join(context.project, "Pulumi.prod.yaml"), "encryptionsalt: v1:abc=:v1:def\n");
  pulumi({});
  await down(context);
  expect(readdirSync(context.paths.dotPodnet)).toEqual(["passphrase"]);
});
