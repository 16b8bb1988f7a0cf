import { expect, test } from "vitest";
import { podIp } from "../../../../components/connectivity/claims/pod-ip";
import { answering, type Change, countsOf, NO_PROMISE, ok, problemsOf, silent } from "../world";

const expected = "w1/probe-a has 10.244.1.2 in its status, its environment and on its interface";
/** A world where the node sees another `probe-a` on w1. */
const seenAs = (views: { downwardIp?: string; interfaceIps?: string[] }): Change => ({
  seen: (node, probes) =>
    probes.map((probe) => (node === "w1" && probe.probe === "probe-a" ? { ...probe, ...views } : probe)),
});

test("passes where status, environment and interface agree", () => {
  expect(countsOf("pod-ip")).toEqual({ passed: 6 });
});

test.each([
  [
    "another environment",
    seenAs({ downwardIp: "10.244.1.9" }),
    "10.244.1.9 in its environment, 10.244.1.2 on its interface",
  ],
  [
    "two addresses",
    seenAs({ interfaceIps: ["10.244.1.2", "10.244.1.9"] }),
    "10.244.1.2 in its environment, 10.244.1.2 10.244.1.9 on its interface",
  ],
  ["no address", seenAs({ interfaceIps: [] }), "10.244.1.2 in its environment, none on its interface"],
])("fails for a pod with %s", (_, change, seen) => {
  expect(problemsOf("pod-ip", change)).toEqual([`w1/probe-a -> w1/probe-a - failed: ${expected} | ${seen}`]);
});

test("fails for a pod that its node does not run", () => {
  const change: Change = { seen: (node, probes) => (node === "w1" ? probes.slice(1) : probes) };
  expect(problemsOf("pod-ip", change)).toEqual([
    `w1/probe-a -> w1/probe-a - failed: ${expected} | no process of it on its node`,
  ]);
});

test("is blocked where others see another address", () => {
  const change = answering(
    ({ source, target }) => source === "w1/probe-a" && target === "cp/probe-b",
    ok("192.0.2.11"),
  );
  expect(problemsOf("pod-ip", change)).toEqual([
    `w1/probe-a -> w1/probe-a - blocked: ${expected} | no-nat from w1/probe-a to cp/probe-b failed`,
  ]);
});

test("is no less true where nobody answers: that is another claim's failure", () => {
  expect(
    countsOf(
      "pod-ip",
      answering(({ ask }) => ask.kind === "clientip", silent),
    ),
  ).toEqual({ passed: 6 });
});

test("is promised by every network, so that it always applies", () => {
  expect(podIp).not.toHaveProperty("exemption");
  expect(countsOf("pod-ip", { ...seenAs({ interfaceIps: [] }), notApplicable: NO_PROMISE })).toEqual({
    passed: 5,
    failed: 1,
  });
});
