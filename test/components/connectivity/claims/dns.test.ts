import { expect, test } from "vitest";
import type { Answer } from "../../../../components/connectivity/driver";
import { dns } from "../../../../components/connectivity/claims/dns";
import { answering, type Change, countsOf, NO_PROMISE, ok, problemsOf, silent, SILENCE, world } from "../world";

const name = "probe.podnet-check.svc.cluster.local";
const unresolved = { ok: false, error: "the name does not resolve" } as const;
/** A world where w1 resolves nothing and other requests have no answer. */
const without = (matches: Parameters<typeof answering>[0]): Change => ({
  answer: (request, good) =>
    request.claim === "dns" && request.node === "w1" ? unresolved : matches(request) ? silent : good,
});

/** How the cluster's DNS server itself is called, where it is asked. */
const server = `${name} at coredns-1`;

test("asks for the name of the check's own Service on every node, as a pod does and of each server by itself", () => {
  const own = world({ nodes: ["cp", "w1"] }).facts.requestsOf("dns");
  expect(own.map(({ source, ask }) => ({ source, ...ask }))).toEqual([
    { source: "cp/probe-b", kind: "resolve", protocol: "UDP", name },
    { source: "cp/probe-b", kind: "resolve", protocol: "UDP", name, server: "10.244.0.20" },
    { source: "w1/probe-b", kind: "resolve", protocol: "UDP", name },
    { source: "w1/probe-b", kind: "resolve", protocol: "UDP", name, server: "10.244.0.20" },
  ]);
});

test("passes where the name is the ClusterIP's, and nothing else", () => {
  expect(countsOf("dns")).toEqual({ passed: 6 });
});

test("fails where it is another address's, or two", () => {
  const change = (...values: string[]) =>
    answering(({ claim, node }) => claim === "dns" && node === "w1", ok(...values));
  expect(problemsOf("dns", change("10.96.1.9"))).toEqual(
    [name, server].map((target) => `w1/probe-b -> ${target} UDP failed: 10.96.1.1 | 10.96.1.9`),
  );
  expect(problemsOf("dns", change("10.96.1.1", "10.96.1.9"))).toEqual(
    [name, server].map((target) => `w1/probe-b -> ${target} UDP failed: 10.96.1.1 | 10.96.1.1, 10.96.1.9`),
  );
});

test("fails where one of two servers is dead or tells something else, which hides behind the other", () => {
  const asked = (answer: Answer): Change => ({
    dnsNodes: ["cp", "w2"],
    ...answering(({ pod, node }) => pod === "coredns-2" && node === "w1", answer),
  });
  expect(problemsOf("dns", asked(unresolved))).toEqual([
    `w1/probe-b -> ${name} at coredns-2 UDP failed: 10.96.1.1 | the name does not resolve`,
  ]);
  expect(problemsOf("dns", asked(ok("10.96.1.9")))).toEqual([
    `w1/probe-b -> ${name} at coredns-2 UDP failed: 10.96.1.1 | 10.96.1.9`,
  ]);
});

test("fails where nothing explains that it does not resolve", () => {
  expect(
    problemsOf(
      "dns",
      without(() => false),
    ),
  ).toEqual(
    [name, server].map((target) => `w1/probe-b -> ${target} UDP failed: 10.96.1.1 | the name does not resolve`),
  );
});

test("is blocked where the node's pods do not reach a node that runs the DNS", () => {
  const change = without(
    ({ claim, source, target }) => claim === "pod-to-pod" && source === "w1/probe-a" && target === "cp/probe-b",
  );
  expect(problemsOf("dns", change)).toEqual([
    `w1/probe-b -> ${name} UDP blocked: 10.96.1.1 | pod-to-pod from w1/probe-a to cp/probe-b over UDP failed`,
    `w1/probe-b -> ${server} UDP blocked: 10.96.1.1 | pod-to-pod from w1/probe-a to cp/probe-b over UDP failed`,
  ]);
  expect(problemsOf("dns", { ...change, dnsNodes: ["w2"] })).toEqual([
    `w1/probe-b -> ${name} UDP failed: 10.96.1.1 | the name does not resolve`,
    `w1/probe-b -> ${server} UDP failed: 10.96.1.1 | the name does not resolve`,
  ]);
});

test("is blocked where the node's ClusterIPs fail by UDP", () => {
  expect(
    problemsOf(
      "dns",
      without(({ claim, source, ask }) => claim === "service" && source === "w1/probe-b" && ask.protocol === "UDP"),
    ),
  ).toEqual([
    `w1/probe-b -> ${name} UDP blocked: 10.96.1.1 | service from w1/probe-b to probe failed`,
    `w1/probe-b -> ${server} UDP failed: 10.96.1.1 | the name does not resolve`,
  ]);
});

test("is promised by every network, so that it always applies", () => {
  expect(dns).not.toHaveProperty("exemption");
  expect(countsOf("dns", { ...SILENCE, notApplicable: NO_PROMISE })).toEqual({ blocked: 6 });
});

test("tells why the cluster's DNS does not run where that is known, whatever else is broken", () => {
  const dnsTrouble = "coredns-1 on cp: CrashLoopBackOff; its last line: Loop detected";
  expect(problemsOf("dns", { ...SILENCE, dnsNodes: [], dnsTrouble })).toEqual(
    ["cp", "w1", "w2"].map(
      (node) => `${node}/probe-b -> ${name} UDP failed: 10.96.1.1 | the cluster's DNS does not run: ${dnsTrouble}`,
    ),
  );
});
