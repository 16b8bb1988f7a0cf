import { expect, test } from "vitest";
import { noNat } from "../../../../components/connectivity/claims/no-nat";
import { answering, countsOf, NO_PROMISE, ok, problemsOf, silent, world } from "../world";

const masqueraded = answering(
  ({ source, target, ask }) =>
    ask.kind === "clientip" && source === "w1/probe-a" && ["w2/probe-b", "w2"].includes(target),
  ok("192.0.2.11"),
);

test("asks nothing of its own: it reads the answers on the ways between pods and nodes", () => {
  expect(world().facts.requestsOf("no-nat")).toEqual([]);
  expect(noNat.waitsOn).toEqual(["pod-to-pod", "node-to-pod", "pod-to-node"]);
});

test("passes where a pod is seen by its own address, and a node by any of its own", () => {
  expect(countsOf("no-nat")).toEqual({ passed: 132 });
  const byBridge = answering(({ source, target }) => source === "cp" && target === "w1/probe-a", ok("10.244.0.1"));
  expect(countsOf("no-nat", byBridge)).toEqual({ passed: 132 });
});

test("fails where another address is seen", () => {
  expect(problemsOf("no-nat", masqueraded)).toEqual(
    ["TCP", "UDP"].flatMap((protocol) =>
      ["w2/probe-b", "w2"].map(
        (target) =>
          `w1/probe-a -> ${target} ${protocol} failed: w1/probe-a is seen as 10.244.1.2 | it is seen as 192.0.2.11`,
      ),
    ),
  );
});

test("is blocked where there is no answer", () => {
  const change = answering(
    ({ source, target, ask }) => source === "w1" && target === "w2/probe-b" && ask.protocol === "TCP",
    silent,
  );
  expect(problemsOf("no-nat", change)).toEqual([
    "w1 -> w2/probe-b TCP blocked: w1 is seen as 127.0.0.1 or 192.0.2.11 or 10.244.1.1 | node-to-pod from w1 to w2/probe-b failed",
  ]);
});

test("does not apply from pods to nodes where the network does not promise it", () => {
  expect(problemsOf("no-nat", { ...masqueraded, notApplicable: NO_PROMISE })).toEqual(
    ["TCP", "UDP"].flatMap((protocol) => [
      `w1/probe-a -> w2/probe-b ${protocol} failed: w1/probe-a is seen as 10.244.1.2 | it is seen as 192.0.2.11`,
      `w1/probe-a -> w2 ${protocol} not-applicable: w1/probe-a is seen as 10.244.1.2 | an overlay`,
    ]),
  );
});
