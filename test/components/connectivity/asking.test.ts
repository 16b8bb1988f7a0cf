import { expect, test } from "vitest";
import { askAll } from "../../../components/connectivity/asking";
import type { Answer } from "../../../components/connectivity/driver";
import type { Request } from "../../../components/connectivity/request";
import { ok, silent } from "./world";

const request = (id: string, more: Partial<Request> = {}): Request => ({
  id,
  claim: "service",
  node: "cp",
  probe: "probe-b",
  source: "cp/probe-b",
  target: "probe",
  ask: { kind: "hostnames", protocol: "TCP", address: "10.96.1.1", port: 80, tries: 1 },
  ...more,
});
const packet = (id: string): Request =>
  request(id, { ask: { kind: "packet", protocol: "ICMP", address: "10.244.0.2", size: 1500 } });

/** Asks requests whose answers, round by round, are given; returns what is known at the end and who was asked when. */
async function run(requests: Request[], rounds: Record<string, Answer[]>, up?: number) {
  const asked: string[] = [];
  const answers = await askAll(
    (pending) => {
      const round = asked.length;
      asked.push(pending.map(({ id }) => id).join(" "));
      return Promise.resolve(new Map(pending.map(({ id }) => [id, rounds[id]?.[round] ?? silent])));
    },
    requests,
    up,
  );
  return { asked, answers: Object.fromEntries(answers) };
}

test("what has no answer is asked three times, and what has one is not asked again", async () => {
  const { asked, answers } = await run([request("a"), request("b"), request("c")], {
    a: [ok("x")],
    b: [silent, ok("y")],
  });
  expect(asked).toEqual(["a b c", "b c", "c"]);
  expect(answers).toEqual({ a: ok("x"), b: ok("y"), c: silent });
});

test("what needs several different answers is asked until it has them, and all of them count", async () => {
  const { asked, answers } = await run([request("a", { answers: 3 })], {
    a: [ok("x", "y", "x"), { ok: false, error: "lost" }, { ok: true, values: ["z"], errors: ["refused"] }],
  });
  expect(asked).toEqual(["a", "a", "a"]);
  expect(answers).toEqual({ a: { ok: true, values: ["x", "y", "x", "z"], errors: ["refused"] } });
});

test("what one pod alone may answer is asked again while several do, and the last time counts", async () => {
  const both = ok("x", "y", "x");
  const { asked, answers } = await run([request("a", { atMost: 1 }), request("b", { atMost: 1 })], {
    a: [both, ok("y", "y", "y")],
    b: [both, ok("y", "y", "y", "x"), both],
  });
  expect(asked).toEqual(["a b", "a b", "b"]);
  expect(answers).toEqual({ a: ok("y", "y", "y"), b: both });
});

test("an answer of a pod that is an endpoint no more is asked for again, and what the last times brought counts", async () => {
  const only = ["x", "y"];
  const { asked, answers } = await run([request("a", { only, answers: 2 }), request("b", { only })], {
    a: [ok("x", "gone"), ok("x", "gone"), ok("y")],
    b: [ok("gone"), silent, silent, ok("y")],
  });
  expect(asked).toEqual(["a b", "a b", "a b", "b"]);
  expect(answers).toEqual({ a: ok("x", "x", "y"), b: ok("y") });
});

test("a stale endpoint that stays is asked for five times, each time so often that it shows, and stands", async () => {
  const tries: number[] = [];
  const stale = request("a", {
    only: ["x"],
    ask: { kind: "hostnames", protocol: "UDP", address: "10.96.1.1", port: 80, tries: 1 },
  });
  const answers = await askAll(
    ([one]) => {
      tries.push(one?.ask.kind === "hostnames" ? one.ask.tries : 0);
      return Promise.resolve(new Map([["a", ok("x", "stale")]]));
    },
    [stale],
  );
  expect(tries).toEqual([1, 21, 21, 21, 21]);
  expect(answers.get("a")).toEqual(ok("x", "x", "x", "x", "x", "stale"));
});

test("a lost packet gets a second chance and no third; one that is too long gets none", async () => {
  const { asked } = await run([packet("a"), packet("b")], {
    a: [
      { ok: false, error: "no answer within 1 s" },
      { ok: false, error: "no answer within 1 s" },
    ],
    b: [{ ok: false, error: "too long for the link" }],
  });
  expect(asked).toEqual(["a b", "a"]);
});

test("a node that started less than two minutes ago gets more time to write its rules", async () => {
  const rounds = { a: [silent, silent, silent, ok("x")] };
  expect(await run([request("a")], rounds, 119)).toEqual({ asked: ["a", "a", "a", "a"], answers: { a: ok("x") } });
  expect(await run([request("a")], rounds, 120)).toEqual({ asked: ["a", "a", "a"], answers: { a: silent } });
});

test("where silence is what can be expected, it is not asked again, and a refusal is", async () => {
  const refused: Answer = { ok: false, error: "read udp 10.244.0.3:4711->10.96.1.1:53: read: connection refused" };
  const quiet = (id: string): Request => request(id, { silenceStands: true });
  const { asked, answers } = await run([quiet("a"), quiet("b"), quiet("c"), quiet("d"), quiet("e"), quiet("f")], {
    a: [silent],
    b: [{ ok: false, error: "read udp 10.244.0.3:4711->10.96.1.1:53: i/o timeout" }],
    c: [refused, ok("y")],
    d: [refused, refused, refused],
    e: [ok("x")],
    // Of two pods behind an address one refuses, and the other says nothing.
    f: [refused, silent],
  });
  expect(asked).toEqual(["a b c d e f", "c d f", "d f"]);
  expect(answers).toMatchObject({ a: silent, c: ok("y"), d: refused, e: ok("x"), f: refused });
});

test("packets that were lost are counted over two rounds, and a round without loss is the only one", async () => {
  const many = (id: string): Request =>
    request(id, { ask: { kind: "loss", protocol: "ICMP", address: "10.244.0.2", count: 1000 } });
  const { asked, answers } = await run([many("a"), many("b"), many("c")], {
    a: [ok("1000/1000", "0.1 ms")],
    b: [ok("990/1000", "0.1 ms"), ok("991/1000", "0.1 ms")],
    c: [silent, ok("1000/1000", "0.1 ms")],
  });
  expect(asked).toEqual(["a b c", "b c"]);
  expect(answers["b"]).toEqual(ok("990/1000", "0.1 ms", "991/1000", "0.1 ms"));
});
