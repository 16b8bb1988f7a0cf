import { createServer, type Server } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { faultLines, lookAtLab, mendLab } from "../../../components/lab/look";
import { ENGINE_DOWN, type FakeDocker, fakeDocker, listed } from "./fakeDocker";

const common = { labName: "podnet-x", owner: "me", network: "pn-x", dockerHost: "unix:///run/x.sock" };
const network = { ...common, subnet: "127.0.0.0/8" };
const node = { ...common, nodeName: "w1", address: "127.0.0.250", image: "node:1", publicKey: "ssh-ed25519 A" };
const lab = { network, nodes: [node] };
const NETWORK = '"network ls"*) echo pn-x ;;';
const W1 = (state: string, more = {}): string => `"ps "*) printf '${listed("podnet-x-w1", { state, ...more })}\\n' ;;`;

let fake: FakeDocker;
let sshd: Server | undefined;
beforeEach(async () => {
  fake = fakeDocker();
  vi.spyOn(console, "error").mockReturnValue(undefined);
  sshd = createServer((socket) => void socket.end("SSH-2.0-test\r\n"));
  await new Promise<void>((done, failed) => {
    sshd?.once("error", failed).listen(22, node.address, done);
  });
});
afterEach(async () => {
  fake.restore();
  vi.restoreAllMocks();
  await new Promise((done) => sshd?.close(done));
});

const look = async (): Promise<string[]> => faultLines(lab, await lookAtLab(lab));
/** What was asked of the engine that changes something. */
const changes = (): string[] =>
  fake.calls().filter((call) => /^(rm|start|unpause|create|network (create|connect|disconnect))/.test(call));

describe("a look at a lab", () => {
  test.each([
    ["runs", W1("running"), []],
    ["is gone", "", ["lab node w1: its container podnet-x-w1 is gone"]],
    ["is another stack's by now", W1("running", { owner: "them" }), ["lab node w1: its container podnet-x-w1 is gone"]],
    ["is stopped", W1("exited"), ["lab node w1: its container podnet-x-w1 is stopped"]],
    ["is paused", W1("paused"), ["lab node w1: its container podnet-x-w1 is paused"]],
    [
      "was never started",
      W1("created"),
      ["lab node w1: its container podnet-x-w1 is created, and no machine any more"],
    ],
    [
      "is out of the network",
      W1("running", { networks: "bridge" }),
      ["lab node w1: its container podnet-x-w1 is not in the network pn-x"],
    ],
  ])("of which a node %s", async (_, cases, lines) => {
    fake.does(`${NETWORK}\n${cases}`);
    expect(await look()).toEqual(lines);
    expect(changes()).toEqual([]);
  });

  test("whose network is gone", async () => {
    fake.does(W1("exited"));
    expect(await look()).toEqual([
      "the lab's network pn-x is gone",
      "lab node w1: its container podnet-x-w1 is stopped",
    ]);
  });

  test("of which a node runs and nothing answers", async () => {
    await new Promise((done) => sshd?.close(done));
    fake.does(`${NETWORK}\n${W1("running")}`);
    expect(await look()).toEqual([
      "lab node w1: its container podnet-x-w1 runs, but nothing answers on 127.0.0.250:22",
    ]);
  });

  test("of which a node's sshd takes the connection and closes it without a word", async () => {
    sshd?.removeAllListeners("connection").on("connection", (socket) => void socket.end());
    fake.does(`${NETWORK}\n${W1("running")}`);
    expect(await look()).toEqual([
      "lab node w1: its container podnet-x-w1 runs, but nothing answers on 127.0.0.250:22",
    ]);
  });

  test("whose engine is down finds out nothing, and says so", async () => {
    fake.does(ENGINE_DOWN);
    await expect(look()).rejects.toThrow("the container engine unix:///run/x.sock does not answer");
  });

  test("of a stack without a lab asks nobody", async () => {
    expect(await lookAtLab({ network: undefined, nodes: [] })).toEqual({ networkGone: false, nodes: [] });
    expect(fake.calls()).toEqual([]);
  });
});

describe("mending a lab", () => {
  const mend = async (): Promise<string[]> => {
    await mendLab(lab, await lookAtLab(lab));
    return changes();
  };

  test("lets a paused node go on", async () => {
    fake.does(`${NETWORK}\n${W1("paused")}`);
    expect(await mend()).toEqual(["unpause id-of-podnet-x-w1"]);
  });

  test("starts a stopped node", async () => {
    fake.does(`${NETWORK}\n${W1("exited")}`);
    expect(await mend()).toEqual(["start id-of-podnet-x-w1"]);
  });

  test("puts a node back into its network at its address", async () => {
    fake.does(`${NETWORK}\n${W1("running", { networks: "bridge" })}`);
    expect(await mend()).toEqual([
      "network disconnect --force pn-x id-of-podnet-x-w1",
      "network connect --ip 127.0.0.250 pn-x id-of-podnet-x-w1",
    ]);
  });

  test("leaves a node that is gone to the next update", async () => {
    fake.does(NETWORK);
    expect(await mend()).toEqual([]);
  });

  test("says of each node why it cannot be mended", async () => {
    fake.does(`${NETWORK}\n${W1("exited")}\n"start "*) echo "no space left on device" >&2; exit 1 ;;`);
    await expect(mend()).rejects.toThrow("no space left on device");
  });
});
