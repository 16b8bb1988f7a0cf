import { expect, test } from "vitest";
import { countFor, loss } from "../../../../components/connectivity/claims/loss";
import { answering, type Change, countsOf, NO_PROMISE, ok, problemsOf, SILENCE } from "../world";

/** A world where w1 loses packets to w2. */
const losing = (...values: string[]): Change =>
  answering(({ claim, node, targetNode }) => claim === "loss" && node === "w1" && targetNode === "w2", ok(...values));

test("passes where fewer than five of a thousand packets are lost, also over two rounds", () => {
  expect(countsOf("loss")).toEqual({ passed: 6 });
  expect(countsOf("loss", losing("996/1000", "0.1 ms"))).toEqual({ passed: 6 });
  expect(countsOf("loss", losing("994/1000", "0.1 ms", "1000/1000", "0.1 ms"))).toEqual({ passed: 6 });
});

test("fails with the figure where more are lost", () => {
  expect(problemsOf("loss", losing("990/1000", "0.1 ms", "992/1000", "0.1 ms"))).toEqual([
    "w1/probe-a -> w2/probe-b ICMP failed: fewer than 0.5 % of the packets are lost | 0.9 %, 18 of 2000, lost",
  ]);
  expect(problemsOf("loss", losing("0/1000"))).toEqual([
    "w1/probe-a -> w2/probe-b ICMP failed: fewer than 0.5 % of the packets are lost | 100.0 %, 1000 of 1000, lost",
  ]);
});

test("is blocked where nothing passes, and always applies", () => {
  expect(loss).not.toHaveProperty("exemption");
  expect(countsOf("loss", { ...SILENCE, notApplicable: NO_PROMISE })).toEqual({ blocked: 6 });
});

test("a node sends four hundred packets to each of few others, and fewer to each of many", () => {
  expect([1, 2, 21, 22, 31, 51, 100].map(countFor)).toEqual([400, 400, 400, 380, 266, 200, 200]);
});
