import { expect, test } from "vitest";
import { fragments } from "../../../../components/connectivity/claims/fragments";
import { answering, countsOf, NO_PROMISE, problemsOf, silent, SILENCE, world } from "../world";

test("sends a packet that is longer than the MTU between every two nodes, and none on one node", () => {
  expect(
    world({ nodes: ["cp", "w1"] })
      .facts.requestsOf("fragments")
      .map(({ source, target, ask }) => [source, target, ask]),
  ).toEqual([
    ["cp/probe-b", "w1/probe-a", { kind: "fragments", protocol: "UDP", address: "10.244.1.2", port: 8081, size: 2500 }],
    ["w1/probe-b", "cp/probe-a", { kind: "fragments", protocol: "UDP", address: "10.244.0.2", port: 8081, size: 2500 }],
  ]);
  expect(countsOf("fragments", { nodes: ["cp"] })).toEqual({});
});

test("passes where it is answered, and fails where it is not", () => {
  expect(countsOf("fragments")).toEqual({ passed: 6 });
  expect(
    problemsOf(
      "fragments",
      answering(({ claim, node }) => claim === "fragments" && node === "w1", silent),
    ),
  ).toEqual([
    "w1/probe-b -> cp/probe-a UDP failed: a packet of 2500 bytes arrives in fragments | no answer within 1.5 s",
    "w1/probe-b -> w2/probe-a UDP failed: a packet of 2500 bytes arrives in fragments | no answer within 1.5 s",
  ]);
});

test("is blocked where nothing passes, and always applies", () => {
  expect(fragments).not.toHaveProperty("exemption");
  expect(countsOf("fragments", { ...SILENCE, notApplicable: NO_PROMISE })).toEqual({ blocked: 6 });
});
