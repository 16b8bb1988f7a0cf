import { expect, test } from "vitest";
import { CLAIMS } from "../../../components/connectivity/claims";
import type { Claim, Verdict } from "../../../components/connectivity/claims/claim";
import { judge, prove } from "../../../components/connectivity/judge";
import { planRequests } from "../../../components/connectivity/plan";
import { topologyOf } from "../../../components/connectivity/topology";
import { AROUND, NO_PROMISE, world } from "./world";

const { facts, input, pods } = world({ notApplicable: NO_PROMISE });
const failed: Verdict = { source: "a", target: "b", status: "failed", expected: "x", seen: "y" };
const claim = (id: string, more: Partial<Claim> = {}): Claim => ({
  id,
  title: id,
  waitsOn: [],
  requests: () => [],
  judge: () => [failed],
  ...more,
});

test("claims are judged after those that they wait on, wherever they stand", () => {
  const order: string[] = [];
  const note = (id: string, waitsOn: string[]) =>
    claim(id, {
      waitsOn,
      judge: ({ verdictsOf }) => {
        order.push(`${id} sees ${waitsOn.map((other) => String(verdictsOf(other).length)).join(" ")}`);
        return [failed];
      },
    });
  judge(facts, [note("c", ["b", "a"]), note("b", ["a"]), note("a", [])]);
  expect(order).toEqual(["a sees ", "b sees 1", "c sees 1 1"]);
});

test("claims that wait on each other, on none, or look at others are the program's fault", () => {
  expect(() => judge(facts, [claim("a", { waitsOn: ["b"] }), claim("b", { waitsOn: ["a"] })])).toThrow(
    "claims wait on each other: a, b, a",
  );
  expect(() => judge(facts, [claim("a", { waitsOn: ["z"] })])).toThrow("the claim a waits on z, which is none");
  const curious = claim("a", { judge: ({ verdictsOf }) => verdictsOf("b") });
  expect(() => judge(facts, [claim("b"), curious])).toThrow(
    "the claim a looks at b and does not say that it waits on it",
  );
});

test("failures that the network does not promise against do not apply, and only failures", () => {
  const verdicts: Verdict[] = [
    failed,
    { ...failed, target: "c" },
    { ...failed, status: "passed" },
    { ...failed, status: "blocked" },
  ];
  const some = claim("a", {
    exemption: { promise: "no-nat-to-nodes", covers: ({ target }) => target === "b" },
    judge: () => verdicts,
  });
  expect(judge(facts, [some]).get("a")).toEqual([
    { ...failed, status: "not-applicable", seen: "an overlay" },
    ...verdicts.slice(1),
  ]);
});

test("a claim that the network does not make at all is neither judged nor proven", async () => {
  const none = claim("a", {
    exemption: { promise: "policy", target: "T", expected: "E" },
    judge: () => expect.unreachable(),
    prove: () => expect.unreachable(),
  });
  const verdicts = await prove(facts, judge(facts, [none]), {} as never, [none]);
  expect(verdicts.get("a")).toEqual([
    { source: "bridge", target: "T", status: "not-applicable", expected: "E", seen: "no policy engine" },
  ]);
});

test("what a claim proves by itself comes after what was judged, and sees all of that", async () => {
  const claims = [
    claim("a", { prove: ({ verdictsOf }) => Promise.resolve([{ ...failed, seen: String(verdictsOf("b").length) }]) }),
    claim("b"),
  ];
  const verdicts = await prove(facts, judge(facts, claims), {} as never, claims);
  expect([...verdicts]).toEqual([
    ["a", [failed, { ...failed, seen: "1" }]],
    ["b", [failed]],
  ]);
});

test("every claim waits on claims that there are, and has an id of its own", () => {
  const ids = CLAIMS.map(({ id }): string => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(CLAIMS.flatMap(({ waitsOn }) => waitsOn).filter((id) => !ids.includes(id))).toEqual([]);
});

test("the plan numbers the requests and notes whose they are", () => {
  const ask = { kind: "connect", protocol: "TCP", address: "10.0.0.1", port: 1 } as const;
  const claims = ["a", "b"].map((id) =>
    claim(id, { requests: () => [{ node: "cp", probe: "probe-b", target: "t", ask }] }),
  );
  expect(planRequests(topologyOf(input, pods, [], AROUND), claims)).toEqual([
    { id: "r0", claim: "a", node: "cp", probe: "probe-b", source: "cp/probe-b", target: "t", ask },
    { id: "r1", claim: "b", node: "cp", probe: "probe-b", source: "cp/probe-b", target: "t", ask },
  ]);
});
