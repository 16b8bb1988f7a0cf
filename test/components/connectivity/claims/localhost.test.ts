import { expect, test } from "vitest";
import { localhost } from "../../../../components/connectivity/claims/localhost";
import { answering, countsOf, NO_PROMISE, ok, problemsOf, silent, SILENCE, world } from "../world";

test("asks each pod's second container on 127.0.0.1, by TCP and UDP", () => {
  const own = world({ nodes: ["cp"] }).facts.requestsOf("localhost");
  expect(own.map(({ source, target, ask }) => ({ source, target, ...ask }))).toEqual(
    ["cp/probe-a", "cp/probe-b"].flatMap((pod) => [
      { source: pod, target: pod, kind: "hostnames", protocol: "TCP", address: "127.0.0.1", port: 9080, tries: 1 },
      { source: pod, target: pod, kind: "hostnames", protocol: "UDP", address: "127.0.0.1", port: 9081, tries: 1 },
    ]),
  );
});

test("passes where the pod's own name comes back", () => {
  expect(countsOf("localhost", { nodes: ["cp", "w1"] })).toEqual({ passed: 8 });
});

test("fails where another pod answers, or none", () => {
  const onW1 = (protocol: string) =>
    answering(
      ({ source, claim, ask }) => claim === "localhost" && source === "w1/probe-a" && ask.protocol === protocol,
      protocol === "TCP" ? ok("probe-b-cp") : silent,
    );
  expect(problemsOf("localhost", onW1("TCP"))).toEqual([
    "w1/probe-a -> w1/probe-a TCP failed: the pod's other container answers on 127.0.0.1 | an answer of probe-b-cp",
  ]);
  expect(problemsOf("localhost", onW1("UDP"))).toEqual([
    "w1/probe-a -> w1/probe-a UDP failed: the pod's other container answers on 127.0.0.1 | no answer within 1.5 s",
  ]);
});

test("waits on no other claim, so that it is never blocked", () => {
  expect(localhost.waitsOn).toEqual([]);
  expect(countsOf("localhost", SILENCE)).toEqual({ failed: 12 });
});

test("is promised by every network, so that it always applies", () => {
  expect(localhost).not.toHaveProperty("exemption");
  expect(countsOf("localhost", { ...SILENCE, notApplicable: NO_PROMISE })).toEqual({ failed: 12 });
});
