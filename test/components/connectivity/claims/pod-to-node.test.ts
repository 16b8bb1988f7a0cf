import { expect, test } from "vitest";
import { podToNode } from "../../../../components/connectivity/claims/pod-to-node";
import { answering, countsOf, NO_PROMISE, problemsOf, SILENCE, silent, world } from "../world";

test("asks every node from every pod, by TCP and UDP", () => {
  const own = world({ nodes: ["cp", "w1"] }).facts.requestsOf("pod-to-node");
  expect(
    own.map(({ source, target, targetNode, ask }) => [source, target, targetNode, ask.protocol].join(" ")),
  ).toEqual(
    ["cp/probe-a", "cp/probe-b", "w1/probe-a", "w1/probe-b"].flatMap((from) =>
      ["TCP", "UDP"].flatMap((protocol) => ["cp", "w1"].map((to) => `${from} ${to} ${to} ${protocol}`)),
    ),
  );
  expect(own[0]?.ask).toEqual({ kind: "clientip", protocol: "TCP", address: "192.0.2.10", port: 28080 });
});

test("passes where every request is answered, whatever the answer says", () => {
  expect(countsOf("pod-to-node")).toEqual({ passed: 36 });
});

test("fails for the pair, the direction and the transport that has no answer", () => {
  const change = answering(
    ({ source, target, ask, claim }) =>
      claim === "pod-to-node" && source === "w1/probe-a" && target === "w2" && ask.protocol === "UDP",
    silent,
  );
  expect(problemsOf("pod-to-node", change)).toEqual([
    "w1/probe-a -> w2 UDP failed: an answer | no answer within 1.5 s",
  ]);
});

test("waits on no other claim, so that it is never blocked", () => {
  expect(podToNode.waitsOn).toEqual([]);
  expect(countsOf("pod-to-node", SILENCE)).toEqual({ failed: 36 });
});

test("is promised by every network, so that it always applies", () => {
  expect(podToNode).not.toHaveProperty("exemption");
  expect(countsOf("pod-to-node", { ...SILENCE, notApplicable: NO_PROMISE })).toEqual({ failed: 36 });
});
