import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { docker, engineEnv } from "../../../components/lab/docker";
import { awaitSsh, labNodeHostKey, makeLabNode, removeLabNode } from "../../../components/lab/engine";
import { clearHost, prepareHost } from "../../../components/lab/host";
import { makeLabNetwork, removeLabNetwork } from "../../../components/lab/network";
import { enterHost } from "../../../components/lab/raised";
import { ENGINE_DOWN, type FakeDocker, fakeDocker, listed } from "./fakeDocker";

const network = { labName: "podnet-x", owner: "me", network: "pn-x", dockerHost: "unix:///run/x.sock" };
const node = { ...network, nodeName: "w1", address: "127.0.0.250", image: "node:1", publicKey: "ssh-ed25519 A" };

let fake: FakeDocker;
beforeEach(() => {
  fake = fakeDocker();
  vi.spyOn(console, "error").mockReturnValue(undefined);
});
afterEach(() => {
  fake.restore();
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

describe("an engine that does not answer", () => {
  const undos: [string, () => Promise<void>][] = [
    ["node", () => removeLabNode(node)],
    ["network", () => removeLabNetwork(network)],
    ["host", () => clearHost(network, "", () => undefined, join(fake.folder, "raised"))],
  ];

  test.each(undos)("is no engine that has no such %s", async (_, undo) => {
    fake.does(ENGINE_DOWN);
    await expect(undo()).rejects.toThrow(
      "the container engine unix:///run/x.sock does not answer: start it (or set DOCKER_HOST to the one that is meant)",
    );
  });

  test.each(undos)("that has no such %s has nothing to remove", async (_, undo) => {
    await expect(undo()).resolves.toBeUndefined();
    expect(fake.calls().filter((call) => / rm /.test(` ${call}`))).toEqual([]);
  });

  test.each(undos)("that is not the one of a lab whose bridge is here says nothing about its %s", async (what) => {
    const elsewhere = { network: "lo" };
    const undo = {
      node: () => removeLabNode({ ...node, ...elsewhere }),
      network: () => removeLabNetwork({ ...network, ...elsewhere }),
      host: () => clearHost({ ...network, ...elsewhere }, "", () => undefined, join(fake.folder, "raised")),
    }[what];
    await expect(undo?.()).rejects.toThrow(
      "the container engine unix:///run/x.sock has no network lo, but this host has its bridge: the lab is in another engine. " +
        "Set DOCKER_HOST to that one; if it is gone for good, remove what is left of it: ip link delete lo",
    );
  });

  test("is named when it is frozen", async () => {
    fake.does("*) exec sleep 20 ;;");
    await expect(docker("unix:///run/x.sock", ["network", "ls"], 0.3)).rejects.toThrow(
      'the container engine unix:///run/x.sock has not answered "docker network ls" within 0.3 s',
    );
  });

  test("has a client, or that is what is said", async () => {
    vi.stubEnv("PATH", join(fake.folder, "nothing"));
    await expect(removeLabNode(node)).rejects.toThrow("there is no docker client on the PATH");
  });

  test("is asked without what reaches another one", () => {
    vi.stubEnv("DOCKER_HOST", "tcp://10.0.0.1:2376");
    vi.stubEnv("DOCKER_TLS_VERIFY", "1");
    vi.stubEnv("DOCKER_CONTEXT", "far");
    const env = engineEnv("unix:///run/x.sock");
    expect([env["DOCKER_HOST"], env["DOCKER_TLS_VERIFY"], env["DOCKER_CONTEXT"]]).toEqual([
      "unix:///run/x.sock",
      undefined,
      undefined,
    ]);
    expect(engineEnv("tcp://10.0.0.1:2376")["DOCKER_TLS_VERIFY"]).toBe("1");
  });
});

describe("another stack's lab of the same name", () => {
  const theirs = `"ps "*) printf '${listed("podnet-x-w1", { owner: "them" })}\\n' ;;`;
  const theirNetwork = `"network ls"*) echo pn-x ;;\n"network inspect"*) printf 'podnet-x\\tthem\\t10.9.0.0/24\\n' ;;`;

  test("keeps its nodes", async () => {
    fake.does(theirs);
    await expect(makeLabNode(node)).rejects.toThrow(
      "container podnet-x-w1 belongs to lab podnet-x of another stack, them; remove it",
    );
    await expect(removeLabNode(node)).rejects.toThrow("belongs to lab podnet-x of another stack, them, so it stays");
    await expect(prepareHost({ ...network, nodes: 3 })).rejects.toThrow(
      "container podnet-x-w1 belongs to lab podnet-x of another stack, them\nName this lab otherwise (labName), " +
        "or remove that one first: pulumi destroy in its own stack, or docker rm -f -v podnet-x-w1",
    );
    await clearHost(network, "", () => undefined, join(fake.folder, "raised"));
    expect(fake.calls().filter((call) => call.startsWith("rm "))).toEqual([]);
  });

  test("keeps its network", async () => {
    fake.does(`${theirNetwork}\n${theirs}`);
    await expect(makeLabNetwork(network)).rejects.toThrow(
      "docker network pn-x belongs to lab podnet-x of another stack, them; name this lab otherwise (labName)",
    );
    await expect(removeLabNetwork(network)).rejects.toThrow(
      "belongs to lab podnet-x of another stack, them, so it stays",
    );
    await expect(prepareHost({ ...network, nodes: 3 })).rejects.toThrow(
      [
        "docker network pn-x belongs to lab podnet-x of another stack, them",
        "container podnet-x-w1 belongs to lab podnet-x of another stack, them",
        "Name this lab otherwise (labName), or remove that one first: pulumi destroy in its own stack, " +
          "or docker rm -f -v podnet-x-w1; docker network rm pn-x",
      ].join("\n"),
    );
    await clearHost(network, "", () => undefined, join(fake.folder, "raised"));
    expect(fake.calls().filter((call) => /^(network )?(rm|disconnect)/.test(call))).toEqual([]);
  });

  test("is not taken by whoever has no mark", async () => {
    fake.does(`${theirNetwork}\n${theirs}`);
    await clearHost({ ...network, owner: undefined }, "", () => undefined, join(fake.folder, "raised"));
    expect(fake.calls().filter((call) => /^(network )?(rm|disconnect)/.test(call))).toEqual([]);
  });
});

test("an engine whose bridge is not this host's is refused, and keeps no network", async () => {
  const links = join(fake.folder, "links");
  const making = '"network create"*) mkdir -p links/other ;;';
  fake.does(making);
  await expect(makeLabNetwork({ ...network, subnet: "10.8.0.0/24" }, links)).rejects.toThrow(
    "the container engine unix:///run/x.sock is on another machine or in a network of its own (as rootless Docker and Docker Desktop " +
      "are), and the lab's nodes are reached over this host's bridge. Its network pn-x was removed again.",
  );
  expect(fake.calls().at(-1)).toBe("network rm pn-x");
  fake.does(making.replace("other", "pn-x"));
  expect(await makeLabNetwork({ ...network, subnet: "10.8.0.0/24" }, links)).toBe("10.8.0.0/24");
  expect(fake.calls()).not.toContain("network rm pn-x");
});

test("a network of another subnet takes no node in that has an address of the old one", async () => {
  fake.does(
    [
      '"network ls"*) echo pn-x ;;',
      `"network inspect --format {{.Id}}"*) echo new ;;`,
      `"network inspect"*) printf 'podnet-x\\tme\\t10.8.0.0/24\\n' ;;`,
      '"container inspect"*) echo old ;;',
      `"ps "*) printf '${listed("podnet-x-cp", { address: "10.9.0.10" })}\\n${listed("podnet-x-w1", { address: "10.8.0.11" })}\\n' ;;`,
    ].join("\n"),
  );
  expect(await makeLabNetwork({ ...network, subnet: "10.8.0.0/24" })).toBe("10.8.0.0/24");
  expect(fake.calls().filter((call) => call.startsWith("network connect"))).toEqual([
    "network connect --ip 10.8.0.11 pn-x id-of-podnet-x-w1",
  ]);
});

describe("a control plane that is there", () => {
  const cases = (subnet: string): string =>
    [
      '"network ls"*) echo pn-x ;;',
      `"network inspect"*) printf 'podnet-x\\tme\\t${subnet}\\n' ;;`,
      `"ps "*) printf '${listed("podnet-x-cp", { address: "10.9.0.10" })}\\n' ;;`,
      "info*) echo no room >&2; exit 1 ;;",
    ].join("\n");
  const prepared = (slot: number): Promise<string> =>
    prepareHost({ ...network, nodes: 1, controlPlane: { nodeName: "cp", slot } }, () => undefined);

  test("with another slot is refused, before anything of it is touched", async () => {
    fake.does(cases("10.9.0.0/24"));
    await expect(prepared(7)).rejects.toThrow(
      "lab node cp: the control plane has the address 10.9.0.10, and slot 7 would give it 10.9.0.17: podnet does not move a control plane. " +
        "Nothing was touched. Put its slot back; or make the lab anew with pulumi destroy and pulumi up, which ends all that runs in it",
    );
    expect(fake.calls().filter((call) => /^(rm|network (rm|create))/.test(call))).toEqual([]);
  });

  test("with its own slot, or in a subnet that is to change, is not", async () => {
    for (const [subnet, slot] of [
      ["10.9.0.0/24", 0],
      ["10.8.0.0/24", 7],
    ] as const) {
      fake.does(cases(subnet));
      // The next question is about the engine.
      await expect(prepared(slot)).rejects.toThrow("no room");
    }
  });
});

describe("a node that does not boot", () => {
  test("whose container ended is named at once, with its exit code and its last lines", async () => {
    fake.does(`inspect*) echo "exited 7 false " ;;\nlogs*) echo "mount: permission denied" ;;`);
    const began = Date.now();
    await expect(awaitSsh(node, "podnet-x-w1")).rejects.toThrow(
      "lab node w1: its container ended with exit code 7 0 s after its start; the last that its container printed:\nmount: permission denied",
    );
    expect(Date.now() - began).toBeLessThan(2000);
  });

  test("for want of memory says so", async () => {
    fake.does(`inspect*) echo "exited 137 true " ;;`);
    await expect(awaitSsh(node, "podnet-x-w1")).rejects.toThrow(
      "its container ended with exit code 137 0 s after its start (out of memory); its container printed nothing",
    );
  });

  test("that only runs is given up after its seconds", async () => {
    fake.does(`inspect*) echo "running 0 false " ;;\nlogs*) echo "systemd hangs" ;;`);
    await expect(awaitSsh(node, "podnet-x-w1", 1)).rejects.toThrow(
      /^lab node w1 does not answer on 127\.0\.0\.250:22 after 1\.\d s: its container runs, its sshd is not there; the last that its container printed:\nsystemd hangs$/,
    );
  });

  test("that is gone or stopped when its key is asked for is named, with what mends it", async () => {
    await expect(labNodeHostKey(node)).rejects.toThrow(
      'lab node w1: its container podnet-x-w1 is gone; "make up" in podnet\'s folder mends it',
    );
    fake.does(`"ps "*) printf '${listed("podnet-x-w1", { state: "paused" })}\\n' ;;`);
    await expect(labNodeHostKey(node)).rejects.toThrow("its container podnet-x-w1 is paused");
  });
});

describe("what a kill left", () => {
  test("does not keep the network: containers are taken out of it, and what is being started is waited for", async () => {
    fake.does(`
"network ls"*) [ -e gone ] || echo pn-x ;;
"network inspect"*) printf 'podnet-x\\tme\\t10.9.0.0/24\\n' ;;
"ps "*) printf '${listed("podnet-x-w1", { state: "created" })}\\n' ;;
"network rm"*) if [ -e tried ]; then touch gone; else touch tried; echo "error while removing network: network pn-x id 1 has active endpoints" >&2; exit 1; fi ;;`);
    await removeLabNetwork(network);
    expect(fake.calls().filter((call) => /^network (rm|disconnect)/.test(call))).toEqual([
      "network disconnect --force pn-x id-of-podnet-x-w1",
      "network rm pn-x",
      "network disconnect --force pn-x id-of-podnet-x-w1",
      "network rm pn-x",
    ]);
  });

  test("stays where the undo is one of a run that a later one has overtaken", async () => {
    const raised = join(fake.folder, "raised");
    enterHost("podnet-x", { bridge: "pn-x", nodes: 3, run: "later" }, raised);
    fake.does(`"ps "*) printf '${listed("podnet-x-w1")}\\n' ;;`);
    const said: string[] = [];
    await clearHost(network, "earlier", (line) => said.push(line), raised);
    expect([said, fake.calls()]).toEqual([["lab podnet-x was made ready anew since: nothing is undone"], []]);
  });

  test("goes with the lab, and a network that was being made too", async () => {
    fake.does(`
"network ls"*) [ -e netgone ] || echo pn-x ;;
"network inspect"*) printf 'podnet-x\\tme\\t10.9.0.0/24\\n' ;;
"network rm"*) touch netgone ;;
"ps "*) [ -e gone ] || printf '${listed("podnet-x-w1", { state: "created" })}\\n' ;;
"rm "*) touch gone ;;`);
    await clearHost(network, "", () => undefined, join(fake.folder, "raised"));
    expect(fake.calls().filter((call) => /^(network )?rm /.test(call))).toEqual([
      "rm -f -v id-of-podnet-x-w1",
      "network rm pn-x",
    ]);
  });

  test("of a node is made anew, and a node that is whole is taken as it is", async () => {
    writeFileSync(join(fake.folder, "key"), "ssh-ed25519 A\n");
    const cases = (state: string): string => `
"ps "*) printf '${listed("podnet-x-w1", { state })}\\n' ;;
"container inspect"*) echo "sha256:1 127.0.0.250" ;;
"image inspect"*) echo "sha256:1" ;;
"cp "*) cat >copied ;;
"exec podnet-x-w1 cat"*) cat key ;;
"exec podnet-x-w1 cut"*) echo "ssh-ed25519 HOST" ;;
"inspect "*) echo "exited 1 false " ;;`;
    fake.does(cases("created"));
    await expect(makeLabNode(node)).rejects.toThrow("its container ended");
    expect(
      fake
        .calls()
        .filter((call) => /^(rm|create|start) /.test(call))
        .map((call) => call.split(" ")[0]),
    ).toEqual(["rm", "create", "start"]);
    fake.does(cases("running"));
    // It is not made again; that nothing answers at its address is another matter.
    await expect(makeLabNode(node)).rejects.toThrow("its container ended");
    expect(fake.calls().filter((call) => /^(rm|create|start) /.test(call))).toEqual([]);
    writeFileSync(join(fake.folder, "key"), "ssh-ed25519 B\n");
    await expect(makeLabNode(node)).rejects.toThrow("its container ended");
    expect(fake.calls().filter((call) => /^rm /.test(call))).toEqual(["rm -f -v podnet-x-w1"]);
  });
});
