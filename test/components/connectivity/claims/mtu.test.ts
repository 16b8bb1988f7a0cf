import { expect, test } from "vitest";
import { mtu } from "../../../../components/connectivity/claims/mtu";
import { answering, countsOf, NO_PROMISE, ok, problemsOf, silent, world } from "../world";

const tooLong = { ok: false, error: "too long for the link" } as const;

test("sends a packet that fills the MTU and one that is a byte longer, between every two nodes", () => {
  const own = world({ nodes: ["cp", "w1"] }).facts.requestsOf("mtu");
  expect(own.map(({ source, target, ask }) => ({ source, target, ...ask }))).toEqual([
    { source: "cp/probe-a", target: "w1/probe-a", kind: "packet", protocol: "ICMP", address: "10.244.1.2", size: 1500 },
    { source: "cp/probe-a", target: "w1/probe-a", kind: "packet", protocol: "ICMP", address: "10.244.1.2", size: 1501 },
    { source: "w1/probe-a", target: "cp/probe-a", kind: "packet", protocol: "ICMP", address: "10.244.0.2", size: 1500 },
    { source: "w1/probe-a", target: "cp/probe-a", kind: "packet", protocol: "ICMP", address: "10.244.0.2", size: 1501 },
  ]);
});

test("passes where the one gets through and the other does not", () => {
  expect(countsOf("mtu")).toEqual({ passed: 12 });
});

test("fails where the full packet does not get through", () => {
  const change = answering(
    ({ source, target, ask }) => ask.kind === "packet" && source === "w1/probe-a" && target === "cp/probe-a",
    tooLong,
  );
  expect(problemsOf("mtu", change)).toEqual([
    "w1/probe-a -> cp/probe-a ICMP failed: a packet of 1500 bytes passes unfragmented | too long for the link",
  ]);
});

test("fails where the longer one gets through", () => {
  const change = answering(
    ({ source, target, ask }) => ask.kind === "packet" && source === "w1/probe-a" && target === "cp/probe-a",
    ok("1501"),
  );
  expect(problemsOf("mtu", change)).toEqual([
    "w1/probe-a -> cp/probe-a ICMP failed: one of 1501 bytes does not | it passed",
  ]);
});

test("is blocked where the pods of the two nodes do not reach each other by TCP", () => {
  const pair = (protocol: string) =>
    answering(
      ({ node, targetNode, ask, claim }) =>
        node === "w1" &&
        targetNode === "cp" &&
        (claim === "mtu" || (claim === "pod-to-pod" && ask.protocol === protocol)),
      silent,
    );
  expect(problemsOf("mtu", pair("TCP"))).toEqual([
    "w1/probe-a -> cp/probe-a ICMP blocked: a packet of 1500 bytes passes unfragmented | pod-to-pod from w1/probe-b to cp/probe-b over TCP failed",
  ]);
  expect(problemsOf("mtu", pair("UDP"))).toEqual([
    "w1/probe-a -> cp/probe-a ICMP failed: a packet of 1500 bytes passes unfragmented | no answer within 1.5 s",
  ]);
});

test("has nothing to prove on one node", () => {
  expect(mtu.leastNodes).toBe(2);
  expect(countsOf("mtu", { nodes: ["cp"] })).toEqual({});
});

test("is promised by every network, so that it always applies", () => {
  expect(mtu).not.toHaveProperty("exemption");
  expect(
    countsOf("mtu", { ...answering(({ ask }) => ask.kind === "packet", tooLong), notApplicable: NO_PROMISE }),
  ).toEqual({ passed: 6, failed: 6 });
});
