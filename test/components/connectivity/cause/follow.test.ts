import { expect, test } from "vitest";
import { follow } from "../../../../components/connectivity/cause/follow";
import { endpointsBehind, flowsOf, servicesOf } from "../../../../components/connectivity/cause/flows";
import type { Answer } from "../../../../components/connectivity/driver";
import { judge } from "../../../../components/connectivity/judge";
import type { Shell } from "../../../../components/machine/shell";
import { answering, silent, verdictsOf, world } from "../world";

/** A node whose program answers these lines after a while, and which notes what it was asked. */
function shell(name: string, lines: readonly string[], asked: string[], ms = 400): Shell {
  const run = (_: string, text: string) => {
    asked.push(`${name} ${text.split("\n").slice(1, -2).join("; ")}`);
    const nonce = /^nonce: (\w+)/.exec(text)?.[1] ?? "";
    const stdout = [...lines.map((line) => `podnet ${nonce} | ${line}`), `podnet ${nonce} 0`].join("\n");
    return new Promise((resolve) => setTimeout(() => resolve({ code: 0, stdout, stderr: "" }), ms));
  };
  return { name, run } as unknown as Shell;
}

const broken = answering(
  ({ claim, source, target }) => claim === "pod-to-pod" && source === "w1/probe-a" && target === "w2/probe-a",
  silent,
);
const { facts } = world(broken);
const verdicts = [...judge(facts).values()].flat();
const LINK = {
  at: "link",
  name: "eth0",
  up: true,
  mtu: 1500,
  lladdr: "02:00:00:00:00:11",
  addresses: ["192.0.2.11/24"],
};

test("both ends of a flow watch while its request is made again and again", async () => {
  const asked: string[] = [];
  const shells = new Map(["cp", "w1", "w2"].map((name) => [name, shell(name, [JSON.stringify(LINK)], asked)]));
  let rounds = 0;
  const followed = flowsOf(verdicts, facts.topology);
  const seen = { w1: [{ probe: "probe-a", pid: 7, downwardIp: "", interfaceIps: [], podName: "" }] };
  const { byNode, troubles } = await follow(
    { followed, services: new Map(), endpointsBehind: () => [] },
    shells,
    seen,
    (requests) => {
      rounds += 1;
      expect(requests.map(({ source, target }) => `${source} ${target}`)).toEqual(["w1/probe-a w2/probe-a"]);
      return Promise.resolve(new Map<string, Answer>());
    },
  );
  expect(asked).toEqual([
    "w1 seconds: 6; flow: f0 10.244.1.2 10.244.2.2; end: f0 probe-a 10.244.1.2 10.244.2.2; pid: probe-a 7",
    "w2 seconds: 6; flow: f0 10.244.1.2 10.244.2.2; end: f0 probe-a 10.244.2.2 10.244.1.2",
  ]);
  expect(byNode).toEqual({ w1: [LINK], w2: [LINK] });
  expect(troubles).toEqual([]);
  // About every tenth of a second, and not as fast as a processor can.
  expect(rounds).toBeGreaterThan(1);
  expect(rounds).toBeLessThan(10);
});

test("where only ClusterIPs failed no packet is followed, and nothing is asked of probes meanwhile", async () => {
  const noProxy = verdictsOf(answering(({ claim, node }) => claim === "service" && node === "w2", silent));
  const services = servicesOf([...noProxy.values()].flat());
  expect([...services]).toEqual([["w2", ["10.96.1.1", "10.96.7.7"]]]);
  const asked: string[] = [];
  const behind = (address: string): string[] => endpointsBehind(address, facts.topology);
  const { byNode } = await follow(
    { followed: [], services, endpointsBehind: behind },
    new Map([["w2", shell("w2", [], asked)]]),
    {},
    () => {
      throw new Error("it was asked");
    },
  );
  expect(asked).toEqual([
    "w2 seconds: 1; cluster-ip: 10.96.1.1; cluster-ip: 10.96.7.7; service-endpoint: 10.244.0.2; service-endpoint: 10.244.1.2; service-endpoint: 10.244.2.2; service-endpoint: 10.244.0.9; service-endpoint: 10.244.1.9",
  ]);
  expect(byNode).toEqual({ w2: [] });
});

test("a node that cannot watch is told of, and the others count", async () => {
  const asked: string[] = [];
  const lame = {
    name: "w1",
    run: () => Promise.resolve({ code: 1, stdout: "", stderr: "nft is not on this node" }),
  } as unknown as Shell;
  const followed = flowsOf(verdicts, facts.topology);
  const { byNode, troubles } = await follow(
    { followed, services: new Map(), endpointsBehind: () => [] },
    new Map([
      ["w1", lame],
      ["w2", shell("w2", [JSON.stringify(LINK)], asked)],
    ]),
    {},
    () => Promise.resolve(new Map<string, Answer>()),
  );
  expect(byNode).toEqual({ w2: [LINK] });
  expect(troubles).toEqual(["no packet can be followed on w1: w1: way ended with code 1: nft is not on this node"]);
});
