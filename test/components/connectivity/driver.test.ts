import { expect, test } from "vitest";
import { type Answer, parseAnswers, probeParameters } from "../../../components/connectivity/driver";
import { Peer } from "../../../components/connectivity/peer";
import type { Ask, Request } from "../../../components/connectivity/request";

const request = (id: string, ask: Ask): Request => ({
  id,
  claim: "c",
  node: "w1",
  probe: "probe-a",
  source: "w1/probe-a",
  target: "t",
  ask,
});
const LOSS: Ask = { kind: "loss", protocol: "ICMP", address: "10.244.2.2", count: 1000 };
const OUTSIDE: Ask = { kind: "outside", protocol: "TCP", address: "192.0.2.1", port: 4000, nonce: "0123abcd" };

test("a node is asked by lines that its program reads", () => {
  const requests = [
    request("r0", LOSS),
    request("r1", { kind: "fragments", protocol: "UDP", address: "10.244.2.2", port: 8081, size: 2500 }),
    request("r2", { kind: "resolve", protocol: "UDP", name: "a.svc", server: "10.244.0.9" }),
    request("r3", { kind: "resolve", protocol: "UDP", name: "a.svc" }),
    request("r4", OUTSIDE),
  ];
  expect(probeParameters(requests, { "probe-a": 7 })).toEqual({
    request: [
      "r0 probe-a loss 10.244.2.2 1000",
      "r1 probe-a fragments 10.244.2.2:8081 2500",
      "r2 probe-a resolve a.svc@10.244.0.9",
      "r3 probe-a resolve a.svc",
      "r4 probe-a fetch http://192.0.2.1:4000/0123abcd",
    ],
    pid: ["probe-a 7"],
  });
});

test.each([
  [
    [
      "r0:1000 packets transmitted, 993 received, 0.7% packet loss, time 212ms",
      "r0:rtt min/avg/max/mdev = 0.031/0.048/0.102/0.008 ms, ipg/ewma 0.212/0.051 ms",
      "r0:code 0",
    ],
    { ok: true, values: ["993/1000", "0.048 ms"], errors: [] },
  ],
  [
    ["r0:596 packets transmitted, 0 received, 100% packet loss, time 5998ms", "r0:code 0"],
    { ok: true, values: ["0/596"], errors: [] },
  ],
  [["r0:code 1"], { ok: false, error: "no packet was sent" }],
])("how many packets were answered is read", (lines, answer) => {
  expect(parseAnswers([request("r0", LOSS)], lines).get("r0")).toEqual(answer);
});

test("a peer's answer counts where it bears the nonce of its own server, and no other", () => {
  const read = (body: string) =>
    parseAnswers([request("p0", OUTSIDE)], ["w-probe-a:p0 code 0 0.001 ", `p0:${body}`]).get("p0");
  expect(read("0123abcd 192.0.2.11")).toEqual({ ok: true, values: ["192.0.2.11"], errors: [] });
  expect(read("<html>192.0.2.11</html>")).toEqual({ ok: false, error: "somebody else answers in its place" });
});

test("the peer tells whoever asks with its nonce by which address it is seen, and nobody else anything", async () => {
  const peer = await Peer.open();
  try {
    const at = `http://127.0.0.1:${String(peer.port)}`;
    expect(await (await fetch(`${at}/${peer.nonce}`)).text()).toBe(`${peer.nonce} 127.0.0.1`);
    const other = await fetch(`${at}/other`);
    expect([other.status, await other.text()]).toEqual([404, ""]);
  } finally {
    peer.close();
  }
});

test("a node's way out is the address that this machine has towards it, where the node gets an answer there", async () => {
  const peer = await Peer.open();
  try {
    const dialled = (host: string) => ({ host, port: 22, user: "root", privateKey: "", hostKey: "" });
    const asked: string[] = [];
    const ways = await peer.waysFrom(
      { cp: dialled("127.0.0.1"), w1: dialled("127.0.0.2") },
      () => false,
      (requests) => {
        asked.push(
          ...requests.map(({ node, probe, ask }) => `${node} ${probe} ${"address" in ask ? ask.address : ""}`),
        );
        const [first] = requests;
        return Promise.resolve(new Map([[first?.id ?? "", { ok: true, values: ["10.0.0.9"], errors: [] }]]));
      },
    );
    expect(asked).toEqual(["cp probe-host 127.0.0.1", "w1 probe-host 127.0.0.1"]);
    expect(ways).toEqual({ cp: { address: "127.0.0.1", seenAs: "10.0.0.9" } });
    // A machine of the cluster's is no peer outside it.
    const inside = await peer.waysFrom(
      { cp: dialled("127.0.0.1") },
      (address) => address === "127.0.0.1",
      (requests) => {
        expect(requests).toEqual([]);
        return Promise.resolve(new Map<string, Answer>());
      },
    );
    expect(inside).toEqual({});
  } finally {
    peer.close();
  }
});
