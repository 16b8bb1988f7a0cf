import { expect, test } from "vitest";
import { podToPod } from "../../../../components/connectivity/claims/pod-to-pod";
import { answering, countsOf, NO_PROMISE, problemsOf, SILENCE, silent, world } from "../world";

test("asks every ordered pair of pods, by TCP and UDP", () => {
  const own = world({ nodes: ["cp", "w1"] }).facts.requestsOf("pod-to-pod");
  expect(
    own.map(({ source, target, targetNode, ask }) => [source, target, targetNode, ask.protocol].join(" ")),
  ).toEqual(
    ["cp/probe-a", "cp/probe-b", "w1/probe-a", "w1/probe-b"].flatMap((from, _, all) =>
      ["TCP", "UDP"].flatMap((protocol) =>
        all.filter((to) => to !== from).map((to) => `${from} ${to} ${to.slice(0, 2)} ${protocol}`),
      ),
    ),
  );
  expect(own[0]?.ask).toEqual({ kind: "clientip", protocol: "TCP", address: "10.244.0.3", port: 8080 });
});

test("passes where every request is answered, whatever the answer says", () => {
  expect(countsOf("pod-to-pod")).toEqual({ passed: 60 });
});

test("fails for the pair, the direction and the transport that has no answer", () => {
  const change = answering(
    ({ source, target, ask, claim }) =>
      claim === "pod-to-pod" && source === "w1/probe-a" && target === "w2/probe-b" && ask.protocol === "UDP",
    silent,
  );
  expect(problemsOf("pod-to-pod", change)).toEqual([
    "w1/probe-a -> w2/probe-b UDP failed: an answer | no answer within 1.5 s",
  ]);
});

test("waits on no other claim, so that it is never blocked", () => {
  expect(podToPod.waitsOn).toEqual([]);
  expect(countsOf("pod-to-pod", SILENCE)).toEqual({ failed: 60 });
});

test("is promised by every network, so that it always applies", () => {
  expect(podToPod).not.toHaveProperty("exemption");
  expect(countsOf("pod-to-pod", { ...SILENCE, notApplicable: NO_PROMISE })).toEqual({ failed: 60 });
});
