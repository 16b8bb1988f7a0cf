import { expect, test } from "vitest";
import { nodeToPod } from "../../../../components/connectivity/claims/node-to-pod";
import { answering, countsOf, NO_PROMISE, problemsOf, SILENCE, silent, world } from "../world";

test("asks every pod from every node, by TCP and UDP", () => {
  const own = world({ nodes: ["cp", "w1"] }).facts.requestsOf("node-to-pod");
  expect(
    own.map(({ source, target, targetNode, ask }) => [source, target, targetNode, ask.protocol].join(" ")),
  ).toEqual(
    ["cp", "w1"].flatMap((from) =>
      ["TCP", "UDP"].flatMap((protocol) =>
        ["cp/probe-a", "cp/probe-b", "w1/probe-a", "w1/probe-b"].map(
          (to) => `${from} ${to} ${to.slice(0, 2)} ${protocol}`,
        ),
      ),
    ),
  );
  expect(own[0]?.ask).toEqual({ kind: "clientip", protocol: "TCP", address: "10.244.0.2", port: 8080 });
});

test("passes where every request is answered, whatever the answer says", () => {
  expect(countsOf("node-to-pod")).toEqual({ passed: 36 });
});

test("fails for the pair, the direction and the transport that has no answer", () => {
  const change = answering(
    ({ source, target, ask, claim }) =>
      claim === "node-to-pod" && source === "w1" && target === "w2/probe-b" && ask.protocol === "UDP",
    silent,
  );
  expect(problemsOf("node-to-pod", change)).toEqual([
    "w1 -> w2/probe-b UDP failed: an answer | no answer within 1.5 s",
  ]);
});

test("waits on no other claim, so that it is never blocked", () => {
  expect(nodeToPod.waitsOn).toEqual([]);
  expect(countsOf("node-to-pod", SILENCE)).toEqual({ failed: 36 });
});

test("is promised by every network, so that it always applies", () => {
  expect(nodeToPod).not.toHaveProperty("exemption");
  expect(countsOf("node-to-pod", { ...SILENCE, notApplicable: NO_PROMISE })).toEqual({ failed: 36 });
});
