import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { labIdentity } from "../../components/lab/identity";
import { clonePaths } from "../../toolchain/host/paths";
import { Progress } from "../../toolchain/host/progress";
import { stackEnv } from "../../toolchain/make/env";
import type { Context } from "../../toolchain/make/prepare";
import { Stack } from "../../toolchain/make/stack";
import { up } from "../../toolchain/make/up";
import { verify } from "../../toolchain/make/verify";
import { ENGINE_DOWN, type FakeDocker, fakeDocker, listed } from "../components/lab/fakeDocker";

// What `make up` and `make verify` say at their end, in each state that they can meet: with a CLI and an engine of the test's own.
const HOST = "unix:///run/x.sock";
const ADDRESS = "127.0.0.251";
let bin = "";
let checkCodes = [0];
vi.mock("../../toolchain/supply/toolchain", () => ({ ensureToolchain: () => Promise.resolve({ binDirs: [bin] }) }));
vi.mock("../../toolchain/host/exec", async (original) => {
  const { run, ...rest } = await original<typeof import("../../toolchain/host/exec")>();
  return {
    ...rest,
    run: (command: string, ...more: [never, never]) =>
      command === process.execPath
        ? Promise.resolve({ code: checkCodes.length > 1 ? checkCodes.shift() : checkCodes[0], stdout: "", stderr: "" })
        : run(command, ...more),
  };
});
const removed = vi.fn<(kubeconfig: string, names: readonly string[]) => Promise<void>>(() => Promise.resolve());
vi.mock("../../toolchain/make/goneNodes", () => ({
  removeGoneNodes: (kubeconfig: string, names: readonly string[]) => removed(kubeconfig, names),
}));
vi.mock("../../toolchain/make/prepare", () => ({
  prepare: async ({ paths }: Context) => ({ stack: await Stack.ensure(paths, stackEnv(paths, [bin], HOST)) }),
}));

const urn = (name: string): string => `urn:pulumi:lab::podnet::command:local:Command::${name}`;
const lab = { labName: "podnet-x", owner: "me", network: "pn-x", dockerHost: HOST };
const inputs = (word: string, stdin: object): object => ({ create: `exec node ${word}`, stdin: JSON.stringify(stdin) });
const w1 = { ...lab, nodeName: "w1", address: ADDRESS, image: "i", publicKey: "k" };
const resources = [
  { urn: "urn:s", type: "pulumi:pulumi:Stack", outputs: { verify: "{}", kubeconfig: "clusters: []" } },
  { urn: urn("net"), type: "command:local:Command", inputs: inputs("lab-network", { ...lab, subnet: "127.0.0.0/8" }) },
  { urn: urn("w1"), type: "command:local:Command", inputs: inputs("lab-node", w1) },
  { urn: urn("w1-join"), type: "command:remote:Command", deletedWith: urn("w1"), dependencies: [urn("w1")] },
];
const pending = [{ type: "creating", resource: { urn: urn("w2"), type: "command:local:Command" } }];
const NETWORK = '"network ls"*) echo pn-x ;;';
const there = (state = "running"): string =>
  `${NETWORK}\n"ps "*) printf '${listed("podnet-x-w1", { state, address: ADDRESS })}\\n' ;;`;

let folder = "";
let docker: FakeDocker;
let sshd: Server;
let context: Context;
let said: PassThrough;
const path = process.env["PATH"];

const last = (): string =>
  String((said.read() as Buffer | null) ?? "")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("  "))
    .at(-1) ?? "";
const calls = (): string[] => readFileSync(join(folder, "calls"), "utf8").split("\n").slice(0, -1);

/** A CLI with this state, whose previews plan these resources, and whose updates end so. */
function pulumi(
  deployment: object,
  { planned = [] as string[], updated = [] as string[], fails = false, result = "succeeded" } = {},
): void {
  vi.spyOn(Stack.prototype, "drift").mockResolvedValue(planned.map((name) => `update ${name}`));
  vi.spyOn(Stack.prototype, "up").mockImplementation((refresh = false) => {
    appendFileSync(join(folder, "calls"), refresh ? "up --refresh\n" : "up\n");
    return Promise.resolve({ succeeded: !fails, changed: updated.length > 0, proven: updated.includes("check") });
  });
  const put = (name: string, text: string): void => writeFileSync(join(folder, name), `${text}\n`);
  put("state", JSON.stringify({ version: 3, deployment }));
  const time = { startTime: "2026-11-26T08:00:00.000Z", endTime: "2026-11-26T08:00:00.000Z" };
  put(
    "history",
    JSON.stringify([{ kind: "update", result, version: 1, ...time, message: "", environment: {}, config: {} }]),
  );
  writeFileSync(
    join(bin, "pulumi"),
    `#!/bin/sh
cd '${folder}'
case "$*" in
version) echo v3.259.0 ;;
"stack export"*) cat state ;;
"stack import"*) echo "import" >>calls; for word; do [ "$last" = --file ] && cp "$word" state; last=$word; done ;;
"stack history"*) cat history ;;
*) echo '{}' ;;
esac
`,
  );
  chmodSync(join(bin, "pulumi"), 0o755);
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "podnet-states-"));
  bin = join(folder, "bin");
  mkdirSync(bin);
  writeFileSync(join(folder, "calls"), "");
  docker = fakeDocker();
  const project = join(folder, "clone");
  const paths = clonePaths(project);
  mkdirSync(paths.state, { recursive: true });
  writeFileSync(paths.passphrase, "p");
  writeFileSync(paths.writtenConfig, JSON.stringify({ settings: { dockerHost: HOST } }));
  said = new PassThrough();
  const progress = new Progress(said as unknown as NodeJS.WriteStream);
  context = { project, paths, cache: folder, identity: labIdentity(project), progress };
  checkCodes = [0];
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  sshd = createServer((socket) => void socket.end("SSH-2.0-test\r\n"));
  await new Promise<void>((done) => void sshd.listen(22, ADDRESS, done));
});
afterEach(async () => {
  vi.restoreAllMocks();
  docker.restore();
  process.env["PATH"] = path;
  rmSync(folder, { recursive: true, force: true });
  await new Promise((done) => sshd.close(done));
});

describe("the last line of make verify", () => {
  test("where all is as declared is what the check found", async () => {
    pulumi({ resources });
    docker.does(there());
    expect([await verify(context), last()]).toEqual([0, "Proven: the network is as declared."]);
    checkCodes = [1];
    expect([await verify(context), last()]).toEqual([1, "Not proven: see above."]);
    expect(readFileSync(context.paths.kubeconfig, "utf8")).toBe("clusters: []");
  });

  const NOT = 'Not proven. "make up" mends what is not as declared, and proves it.';
  test.each([
    ["is gone", NETWORK, "lab node w1: its container podnet-x-w1 is gone"],
    ["is stopped", there("exited"), "lab node w1: its container podnet-x-w1 is stopped"],
    ["is frozen", there("paused"), "lab node w1: its container podnet-x-w1 is paused"],
  ])("where a container %s is that, and nothing is proven", async (_, cases, line) => {
    pulumi({ resources });
    docker.does(cases);
    expect(await verify(context)).toBe(1);
    expect(String(said.read()).trim().split("\n")).toEqual([line, NOT]);
  });

  test("after a failed update names what is declared and not there", async () => {
    pulumi({ resources }, { planned: ["network-on-w1"], result: "failed" });
    docker.does(there());
    expect(await verify(context)).toBe(1);
    expect(String(said.read()).trim().split("\n")).toEqual([
      "the cluster is not as declared (the last update failed, 2026-11-26T08:00:00.000Z); still to be done:",
      "  update network-on-w1",
      NOT,
    ]);
  });

  test("after an update that was killed, or a change of config, says that", async () => {
    pulumi({ resources, pending_operations: pending }, { planned: ["w2"] });
    docker.does(there());
    expect(await verify(context)).toBe(1);
    expect(String(said.read())).toContain("(the last update was cut off, or is still at work)");
    pulumi({ resources }, { planned: ["w2"] });
    expect(await verify(context)).toBe(1);
    expect(String(said.read())).toContain("(the program or its config has changed since the last update)");
  });

  test("where the engine is down is that it is", async () => {
    pulumi({ resources });
    docker.does(ENGINE_DOWN);
    await expect(verify(context)).rejects.toThrow(
      `the container engine ${HOST}, in which this clone's lab is, does not answer; start it, then try again.`,
    );
    writeFileSync(context.paths.engine, JSON.stringify({ process: { pid: 1, startTime: "0", bootId: "x" } }));
    await expect(verify(context)).rejects.toThrow(
      "this clone's own container engine does not run, and its lab with it",
    );
  });

  test("where there is no cluster is that there is none", async () => {
    pulumi({ resources: [] });
    docker.does(there());
    await expect(verify(context)).rejects.toThrow('there is no checked cluster to verify; "make up" makes one');
  });

  test("of a clone whose lab another stack has taken is that it is gone", async () => {
    pulumi({ resources });
    docker.does(`${NETWORK}\n"ps "*) printf '${listed("podnet-x-w1", { owner: "them" })}\\n' ;;`);
    expect(await verify(context)).toBe(1);
    expect(String(said.read())).toContain("lab node w1: its container podnet-x-w1 is gone");
  });
});

describe("the last line of make up", () => {
  const line = async (): Promise<[number, string]> => [await up(context), last().replace(/\(.*\)/, "(0 s)")];

  test("where nothing was to be done says what was looked at", async () => {
    pulumi({ resources });
    docker.does(there());
    expect(await line()).toEqual([
      0,
      "Nothing to do: the cluster was made as declared, and the lab's 1 nodes run (0 s).",
    ]);
    expect(calls()).toEqual(["up"]);
  });

  test("after a change is what the update's check proved", async () => {
    pulumi({ resources }, { updated: ["w1", "check"] });
    docker.does(there());
    expect(await line()).toEqual([0, "The cluster is up and its network is proven (0 s)."]);
  });

  test("where a container is gone tells that it was made anew, of which the update was told", async () => {
    pulumi({ resources }, { updated: ["w1", "check"] });
    docker.does(NETWORK);
    expect(await line()).toEqual([0, "The cluster is up and its network is proven (0 s)."]);
    expect(calls()).toEqual(["import", "up"]);
    expect(removed.mock.calls).toEqual([["clusters: []", ["w1"]]]);
    const left = JSON.parse(readFileSync(join(folder, "state"), "utf8")) as {
      deployment: { resources: { urn: string }[] };
    };
    expect(left.deployment.resources.map((one) => one.urn)).toEqual(["urn:s", urn("net")]);
  });

  const MENDED: [number, string] = [0, "The lab is mended and its network is proven (0 s)."];

  test.each(["paused", "exited"])("where a container was %s is that it was mended and proven", async (state) => {
    pulumi({ resources });
    docker.does(there(state));
    expect(await line()).toEqual(MENDED);
    // What a cluster is not yet in its first moments is asked again.
    checkCodes = [1, 1, 0];
    expect(await line()).toEqual(MENDED);
  });

  test("where what was mended could not be proven is that it is not, until it is", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    pulumi({ resources });
    docker.does(there("exited"));
    checkCodes = [1];
    const late = setInterval(() => vi.setSystemTime(Date.now() + 60_000), 100);
    try {
      expect(await line()).toEqual([1, 'The network is not proven: see above. "make up" again goes on from here.']);
    } finally {
      clearInterval(late);
      vi.useRealTimers();
    }
    checkCodes = [0];
    docker.does(there());
    expect(await line()).toEqual(MENDED);
    expect((await line())[1]).toBe("Nothing to do: the cluster was made as declared, and the lab's 1 nodes run (0 s).");
  });

  test("after one that failed or was killed, where nothing is left to be done, is that of a check", async () => {
    const proven =
      "Nothing to do: the cluster was made as declared and its network is proven, and the lab's 1 nodes run (0 s).";
    docker.does(there());
    pulumi({ resources }, { fails: true });
    expect((await line())[0]).toBe(1);
    pulumi({ resources });
    checkCodes = [1, 0];
    expect(await line()).toEqual([0, proven]);
    expect(await line()).toEqual([
      0,
      "Nothing to do: the cluster was made as declared, and the lab's 1 nodes run (0 s).",
    ]);
    pulumi({ resources, pending_operations: pending });
    expect(await line()).toEqual([0, proven]);
  });

  test("after one that failed or was killed, where an object of the cluster is not as declared, is that it was put back", async () => {
    docker.does(there());
    pulumi({ resources, pending_operations: pending });
    const ends = [[], ["web", "check"]];
    vi.spyOn(Stack.prototype, "up").mockImplementation((refresh = false) => {
      const updated = ends.shift() ?? [];
      appendFileSync(join(folder, "calls"), `up${refresh ? " --refresh" : ""} ${updated.join(" ")}\n`);
      return Promise.resolve({ succeeded: true, changed: updated.length > 0, proven: updated.includes("check") });
    });
    checkCodes = [1];
    expect(await line()).toEqual([0, "The cluster is up and its network is proven (0 s)."]);
    expect(calls()).toEqual(["up ", "import", "up --refresh web check"]);
    expect(await line()).toEqual([
      0,
      "Nothing to do: the cluster was made as declared, and the lab's 1 nodes run (0 s).",
    ]);
    expect(calls().slice(3)).toEqual(["up "]);
  });

  test("after one that failed or was killed, where the refresh fails, is the way on", async () => {
    docker.does(there());
    pulumi({ resources, pending_operations: pending });
    vi.spyOn(Stack.prototype, "up").mockImplementation((refresh = false) =>
      Promise.resolve({ succeeded: !refresh, changed: false, proven: false }),
    );
    expect(await line()).toEqual([1, '"make up" again goes on from here; "make down" takes everything down.']);
  });

  test("after an update in which the check did not run is that of a check after it", async () => {
    pulumi({ resources }, { updated: ["lab-host"] });
    docker.does(there());
    expect(await line()).toEqual([0, "The cluster is up and its network is proven (0 s)."]);
    checkCodes = [1, 0];
    expect(await line()).toEqual([0, "The cluster is up and its network is proven (0 s)."]);
  });

  test("after a failed update is the way on", async () => {
    pulumi({ resources }, { fails: true });
    docker.does(there());
    expect(await line()).toEqual([1, '"make up" again goes on from here; "make down" takes everything down.']);
  });

  test("after a killed update is that of a whole one, and nothing is pending or left", async () => {
    pulumi({ resources, pending_operations: pending }, { updated: ["w2", "check"] });
    docker.does(
      `${NETWORK}\n"ps "*podnet.lab=podnet-x*) printf '${listed("podnet-x-w1")}\\n${listed("podnet-x-w9", { state: "created" })}\\n' ;;\n${there()}`,
    );
    expect(await line()).toEqual([0, "The cluster is up and its network is proven (0 s)."]);
    expect(calls()).toEqual(["up", "import", "up --refresh"]);
    expect(docker.calls().filter((call) => call.startsWith("rm "))).toEqual(["rm -f -v id-of-podnet-x-w9"]);
    const left = JSON.parse(readFileSync(join(folder, "state"), "utf8")) as { deployment: object };
    expect(left.deployment).toMatchObject({ pending_operations: [] });
  });

  test("where the engine is down is that it is", async () => {
    pulumi({ resources });
    docker.does(ENGINE_DOWN);
    await expect(up(context)).rejects.toThrow(`the container engine ${HOST} does not answer`);
    expect(calls()).toEqual([]);
  });
});
