import { afterEach, beforeEach, expect, test } from "vitest";
import { parseAnswers, probeParameters } from "../../../../components/connectivity/driver";
import type { Ask, Request } from "../../../../components/connectivity/request";
import { bundled, Machine } from "./machine";

const program = bundled();
let machine: Machine;
beforeEach(async () => {
  machine = await Machine.make(program);
});
afterEach(() => machine.close());

/** What came of requests that the node itself makes. */
async function answers(...asks: Ask[]) {
  const requests = asks.map((ask, index): Request => ({
    id: `r${String(index)}`,
    claim: "c",
    node: "w1",
    probe: "probe-host",
    source: "w1",
    target: "t",
    ask,
  }));
  const read = parseAnswers(requests, await machine.does("probe", probeParameters(requests, {})));
  return requests.map(({ id }) => read.get(id));
}

/** An agnhost, as far as it echoes over UDP, which notes how long the datagrams are that it gets. */
const ECHO = `
require("dgram").createSocket("udp4").on("message", function (message, from) {
  require("fs").appendFileSync("/tmp/lengths", message.length + "\\n");
  this.send(message.subarray("echo ".length), from.port, from.address);
}).bind(8081, "127.0.0.1", () => require("fs").writeFileSync("/tmp/listens", ""));`;

test("a packet that goes in fragments is one datagram, whose echo is waited for", async () => {
  machine.write("/tmp/echo.js", ECHO);
  await machine.sh("node /tmp/echo.js >/dev/null 2>&1 & until [ -e /tmp/listens ]; do sleep 0.05; done");
  const ask = (port: number): Ask => ({ kind: "fragments", protocol: "UDP", address: "127.0.0.1", port, size: 2500 });
  expect(await answers(ask(8081), ask(8082))).toEqual([
    { ok: true, values: ["2500"], errors: [] },
    { ok: false, error: "no answer within 1.5 s" },
  ]);
  // Less 28 bytes for the headers of IPv4 and UDP.
  expect(machine.read("/tmp/lengths")).toBe("2472\n");
});

test("many packets are sent one as soon as the last was answered, and what was lost is counted", async () => {
  machine.standIn("ping");
  machine.answers(
    "ping",
    `echo "1000 packets transmitted, 993 received, 0.7% packet loss, time 212ms"
echo "rtt min/avg/max/mdev = 0.031/0.048/0.102/0.008 ms, ipg/ewma 0.212/0.051 ms"
exit 1`,
  );
  expect(await answers({ kind: "loss", protocol: "ICMP", address: "192.0.2.12", count: 1000 })).toEqual([
    { ok: true, values: ["993/1000", "0.048 ms"], errors: [] },
  ]);
  expect(machine.calls()).toEqual(["ping -n -q -f -c 1000 192.0.2.12"]);
});

/** Pods that tell by which address they are asked; the third is somebody else, the fifth never answers, and the fourth is not there. */
const PODS = `
const { createServer } = require("http");
for (const last of [1, 2, 3, 5, 6]) {
  createServer(({ url, socket }, response) => {
    const own = socket.remoteAddress + ":" + socket.remotePort;
    last === 5 || response.end(last === 3 ? "<html>" : url === "/clientip" ? own : "?");
  }).listen(8080, "127.0.0." + last, () => require("fs").appendFileSync("/tmp/listens", "x"));
}`;

test("of many pods that are asked at once only what came of few is told one by one", async () => {
  machine.write("/tmp/pods.js", PODS);
  await machine.sh(
    'node /tmp/pods.js >/dev/null 2>&1 & until [ "$(cat /tmp/listens 2>/dev/null)" = xxxxx ]; do sleep 0.05; done',
  );
  const to = [1, 2, 3, 4, 5, 6].map((last) => ({
    probe: "probe-a" as const,
    node: `n${String(last)}`,
    name: "p",
    ip: `127.0.0.${String(last)}`,
  }));
  const ask: Ask = { kind: "reach", protocol: "TCP", port: 8080, to };
  const request: Request = { id: "r7", claim: "c", node: "w1", probe: "probe-host", source: "w1", target: "t", ask };
  const lines = await machine.does("probe", probeParameters([request], {}));
  expect(lines.slice(1)).toEqual([
    "r7:127.0.0.3 0 <html>",
    "r7:127.0.0.4 7 Failed to connect: Couldn't connect to server",
    "r7:127.0.0.5 28 ",
  ]);
  expect(lines[0]).toMatch(/^r7:most 3 0 127\.0\.0\.1:\d+$/);
  const answer = parseAnswers([request], lines).get("r7");
  expect(answer).toEqual({
    ok: true,
    values: ["127.0.0.1"],
    errors: [],
    except: new Map([
      ["127.0.0.3", { ok: false, error: "somebody else answers in its place" }],
      ["127.0.0.4", { ok: false, error: "cannot connect: Failed to connect: Couldn't connect to server" }],
      ["127.0.0.5", { ok: false, error: "no answer within 1.5 s" }],
    ]),
  });
  // Where an answer was cut off, nothing is known of whom it does not tell.
  expect(parseAnswers([request], lines.slice(0, 2)).get("r7")?.except?.size).toBe(1);
});
