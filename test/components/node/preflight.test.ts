import { expect, test } from "vitest";
import {
  askedRows,
  betweenMachines,
  machineProblem,
  nextHopsOf,
  peersOf,
  readAnswer,
} from "../../../components/node/preflight";

test("what is declared is asked one row a value", () => {
  expect(askedRows({ node: "w1", ignore: ["Mem", "NumCPU"], path: [] })).toEqual([
    ["ask", "node", "w1"],
    ["ask", "ignore", "Mem"],
    ["ask", "ignore", "NumCPU"],
  ]);
});

test("a worker has to reach the control plane's API, and the control plane the kubelets of workers that are new", () => {
  const declared = Object.fromEntries(
    ["cp", "w1", "w2"].map((node, index) => [node, { node, "internal-ip": `192.0.2.${String(index + 1)}` }]),
  );
  expect(peersOf("w1", "cp", ["cp", "w1"], declared)).toEqual(["cp 192.0.2.1 6443"]);
  expect(peersOf("cp", "cp", ["cp", "w2"], declared)).toEqual(["w2 192.0.2.3 10250"]);
  expect(peersOf("cp", "cp", ["cp"], declared)).toEqual([]);
  expect(peersOf("w1", "", ["w1"], declared)).toEqual([]);
});

test("a node's next hops are all other nodes, where the network has no overlay", () => {
  const declared = Object.fromEntries(
    ["cp", "w1", "w2"].map((node, index) => [node, { node, "internal-ip": `192.0.2.${String(index + 1)}` }]),
  );
  expect(nextHopsOf("w1", declared)).toEqual(["cp 192.0.2.1", "w2 192.0.2.3"]);
  expect(nextHopsOf("cp", { cp: declared["cp"] ?? {}, x: {} })).toEqual([]);
});

test("an answer is read: facts, what is in the way on the machine, and what else is missing", () => {
  const lines = ["kernel 5.4 lacks x", "fact clock 10500", "fact machine-id abc", "fact hostname w1", "fact mark own"];
  expect(readAnswer([...lines, "machine fact is stranger"], 9000, 10000)).toEqual({
    findings: ["fact is stranger"],
    missing: ["kernel 5.4 lacks x"],
    machineId: "abc",
    hostname: "w1",
    own: true,
    ahead: 1000,
  });
  expect(readAnswer([], 9000, 10000)).toEqual({
    findings: [],
    missing: [],
    machineId: "",
    hostname: "",
    own: false,
    ahead: 0,
  });
});

test("machines are compared: one under two names, a copy of one, a host name twice, a clock that is off", () => {
  const machine = (machineId: string, hostname: string, seconds?: number) => ({
    machineId,
    hostname,
    ahead: seconds === undefined ? undefined : seconds * 1000,
  });
  const found = betweenMachines(
    {
      cp: machine("a", "cp", 100),
      w1: machine("b", "w1", 109),
      w2: machine("a", "w2", 111),
      w3: machine("c", "w1", -20),
      w4: machine("b", "w1", 100),
      // One that was not asked this time.
      w5: machine("d", "w5"),
      w6: machine("", "", 100),
      w7: machine("", "", 100),
    },
    "cp",
  );
  const same = (other: string): string =>
    `its /etc/machine-id is also node ${other}'s: it is the same machine, or a copy of it. A machine is one node; ` +
    "give a copy an identity of its own (rm /etc/machine-id; systemd-machine-id-setup; reboot)";
  const clock = (text: string): string =>
    `its clock is ${text} node cp's, and certificates are valid by the clock; set both by a time service (systemd-timesyncd or chrony)`;
  expect(found).toEqual({
    cp: [],
    w1: [],
    w2: [same("cp"), clock("11 s ahead of")],
    w3: [
      "its host name w1 is also node w1's; give it another one (hostnamectl set-hostname NAME)",
      clock("120 s behind"),
    ],
    w4: [same("w1")],
    w5: [],
    w6: [],
    w7: [],
  });
});

test("a control plane whose certificates this machine would not take yet is named", () => {
  const at = (seconds: number) =>
    betweenMachines({ cp: { machineId: "a", hostname: "cp", ahead: seconds * 1000 } }, "cp");
  expect(at(-3600)).toEqual({ cp: [] });
  expect(at(240)).toEqual({ cp: [] });
  expect(at(3600)).toEqual({
    cp: [
      "its clock is 3600 s ahead of that of the machine that runs podnet, by which its certificates would not be valid yet; set both by a time service (systemd-timesyncd or chrony)",
    ],
  });
});

test("all findings of all machines are one error, each text once", () => {
  expect(machineProblem({ cp: ["no disk"], w1: [], w2: ["no disk", "no clock"] })).toBe(
    `these machines cannot be the nodes that are declared; nothing on any machine was touched:
  cp, w2: no disk
  w2: no clock`,
  );
  expect(machineProblem({ cp: [] })).toBeUndefined();
});
