import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server as TcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server } from "ssh2";
import { afterEach, beforeAll, expect, test } from "vitest";
import { absence, addressOf, type MachineAddress } from "../../../components/machine/presence";
import {
  type KeptMachine,
  movedControlPlane,
  movedMachines,
  unreachableMachines,
} from "../../../components/network/kept";

let hostKeys: { readonly text: string; readonly secret: string }[] = [];
const servers: (Server | TcpServer)[] = [];

beforeAll(() => {
  const folder = mkdtempSync(join(tmpdir(), "podnet-kept-"));
  hostKeys = ["one", "two"].map((name) => {
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, name)]);
    return {
      text: readFileSync(join(folder, `${name}.pub`), "utf8"),
      secret: readFileSync(join(folder, name), "utf8"),
    };
  });
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  servers.splice(0).forEach((server) => server.close());
});

const kept = (at: MachineAddress, passing = false): KeptMachine => ({ ...at, machineId: "a", hostname: "w1", passing });
const at = (port: number, index = 0): MachineAddress =>
  addressOf({ host: "127.0.0.1", port, hostKey: hostKeys[index]?.text ?? "" });

/** An SSH server with a host key, which lets nobody in. */
async function listen(index = 0): Promise<number> {
  const server = new Server({ hostKeys: [hostKeys[index]?.secret ?? ""] }, (client) => {
    client.on("error", () => undefined);
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return (server.address() as { port: number }).port;
}

const text = (port: number, reason: string): string[] => [
  `it is no longer declared, and its machine does not answer at 127.0.0.1 port ${String(port)} (${reason}), so what podnet put ` +
    "there cannot be taken off. Start it and run the update again; or, if it is gone for good, declare the node again with " +
    "gone: true, run the update, and then take it out",
];

test("a node that is taken out while its machine answers is nobody's problem", async () => {
  expect(await unreachableMachines({ w2: kept(at(await listen())) }, ["cp"])).toEqual({});
});

test("a node that is taken out with its machine dead, or another one in its place, is refused, naming the way on", async () => {
  const closed = await listen();
  servers.splice(0).forEach((server) => server.close());
  const other = await listen(1);
  const found = await unreachableMachines({ w2: kept(at(closed)), w3: kept(at(other)) }, ["cp"]);
  expect(found).toEqual({
    w2: text(closed, `connect ECONNREFUSED 127.0.0.1:${String(closed)}`),
    w3: text(other, "it has another host key"),
  });
});

test("a machine that answers no word does not hold the update", async () => {
  const silent = createServer(() => undefined);
  servers.push(silent);
  await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done));
  const { port } = silent.address() as { port: number };
  expect(await absence(at(port), 300)).toBe("Timed out while waiting for handshake");
});

test("a node that is still declared, gone or of a machine that ends with its resource is not asked for", async () => {
  const dead = at(1);
  expect(await unreachableMachines({ w1: kept(dead), w2: kept(dead), l1: kept(dead, true) }, ["w1", "w2"])).toEqual({});
});

test("a control plane moves to no other node, which would be a new cluster", () => {
  const earlier = { cp: { ...kept(at(22)), controlPlane: true }, w1: { ...kept(at(23)), controlPlane: false } };
  expect(movedControlPlane(earlier, "master")).toEqual({
    master: [
      "the cluster's control plane is cp, and podnet does not move a control plane: that would end all that runs in the cluster. " +
        "Declare cp as it was; or make the cluster anew with pulumi destroy and pulumi up",
    ],
  });
  expect(movedControlPlane(earlier, "cp")).toEqual({});
  // Of a cluster that an earlier podnet looked at nobody said which one it is.
  expect(movedControlPlane({ cp: kept(at(22)) }, "master")).toEqual({});
});

test("a node moves to no other machine; its own with another address or host key stays its own", () => {
  const earlier = { w1: kept(at(22)), w2: kept(at(22)), w3: kept(at(22)), l1: kept(at(22), true) };
  const now = { w1: kept(at(23)), w2: kept(at(22, 1)), w3: kept(at(22)), l1: kept(at(23), true), x1: kept(at(24)) };
  expect(Object.keys(movedMachines(earlier, now, []))).toEqual(["w1", "w2"]);
  expect(movedMachines(earlier, now, ["w1", "w2"])).toEqual({});
  expect(movedMachines(earlier, now, ["w2"])).toEqual({
    w1: [
      "it is on the machine 127.0.0.1 port 22, and 127.0.0.1 port 23 is another one, without this node's mark. A node keeps its " +
        "machine: declare the other one under a name and slot of its own, and take w1 out; if its machine is gone for good, " +
        "declare it with gone: true first",
    ],
  });
});

test("a node that is called as what every object inherits was never somewhere else", () => {
  const here = { ...kept({ host: "192.0.2.1", port: 22, type: "ssh-ed25519", key: "a" }) };
  expect(movedMachines({}, { constructor: here }, [])).toEqual({});
});
