import { expect, test } from "vitest";
import type { Answer } from "../../../../components/connectivity/driver";
import { judgeStage, networkPolicy, STAGES } from "../../../../components/connectivity/claims/network-policy";
import { podToPod } from "../../../../components/connectivity/claims/pod-to-pod";
import { judge, prove } from "../../../../components/connectivity/judge";
import { planRequests } from "../../../../components/connectivity/plan";
import type { ProbePod } from "../../../../components/connectivity/request";
import { topologyOf } from "../../../../components/connectivity/topology";
import type { CheckInput } from "../../../../components/connectivity/input";
import { AROUND, NO_PROMISE, world } from "../world";

const node = (slot: number): CheckInput["nodes"][string] => ({
  internalIp: `192.0.2.${String(10 + slot)}`,
  podCidr: `10.244.${String(slot)}.0/24`,
  mtu: 1500,
  works: {},
});
const input: CheckInput = {
  kubeconfig: "",
  dnsDomain: "cluster.local",
  nodes: { w1: node(1), w2: node(2) },
  connections: {},
  podsAlone: false,
  image: "agnhost",
  probeServices: {},
  services: [],
  network: { id: "cilium-native", conflist: "05-cilium.conflist", enforcesPolicy: true, notApplicable: [] },
  readyTimeout: 1,
};
const pods: ProbePod[] = ["w1", "w2"].flatMap((name, index) =>
  (["probe-a", "probe-b"] as const).map((probe, second) => ({
    probe,
    node: name,
    name: `${probe}-${name}`,
    ip: `10.244.${String(index + 1)}.${String(2 + second)}`,
  })),
);
const pairs = planRequests(topologyOf(input, pods, [], AROUND)).filter(({ claim }) => claim === "pod-to-pod");
const ok: Answer = { ok: true, values: ["x"], errors: [] };
const silent: Answer = { ok: false, error: "no answer within 1.5 s" };
const all = (answer: Answer): Map<string, Answer> => new Map(pairs.map(({ id }) => [id, answer]));
const stage = (name: string) => {
  const found = STAGES.find((candidate) => candidate.name === name);
  if (!found) {
    throw new Error(`no stage ${name}`);
  }
  return found;
};
const failed = (name: string, answers: Map<string, Answer>): string[] =>
  judgeStage(stage(name), pairs, answers, all(ok))
    .filter(({ status }) => status === "failed")
    .map(
      ({ source, target, protocol, expected, seen }) =>
        `${source} -> ${target} ${protocol ?? ""}: ${expected}, saw ${seen}`,
    );

test("a network that enforces nothing fails every pair that a default deny isolates", () => {
  const found = failed("default-deny", all(ok));
  // Of four pods every ordered pair, but for the two between the probes that the policy does not select, twice.
  expect(pairs).toHaveLength(24);
  expect(found).toHaveLength(20);
  expect(found).toContain("w1/probe-a -> w1/probe-b TCP: default-deny: no answer, saw an answer");
  expect(found.some((line) => line.startsWith("w1/probe-a -> w2/probe-a"))).toBe(false);
});

test("a network that lets nothing pass fails the pairs that no policy selects", () => {
  expect(failed("default-deny", all(silent)).sort()).toEqual(
    ["w1 w2", "w2 w1"].flatMap((pair) => {
      const [from = "", to = ""] = pair.split(" ");
      return ["TCP", "UDP"].map(
        (protocol) =>
          `${from}/probe-a -> ${to}/probe-a ${protocol}: default-deny: an answer, saw no answer within 1.5 s`,
      );
    }),
  );
});

test("the allowing policy opens TCP from probe-a to probe-b and nothing else", () => {
  const { allows } = stage("allow");
  const open = ["probe-a", "probe-b"].flatMap((from) =>
    ["probe-a", "probe-b"].flatMap((to) =>
      ["TCP", "UDP"].filter((protocol) => allows(from, to, protocol)).map((protocol) => `${from} ${to} ${protocol}`),
    ),
  );
  expect(open).toEqual(["probe-a probe-a TCP", "probe-a probe-a UDP", "probe-a probe-b TCP"]);
});

test("without policies everything passes again", () => {
  expect(failed("without policy", all(ok))).toEqual([]);
  expect(failed("without policy", all(silent))).toHaveLength(24);
});

test("a pair that was broken before says nothing of policies", () => {
  const before = all(ok);
  const [first] = pairs;
  if (!first) {
    throw new Error("no pairs");
  }
  before.set(first.id, silent);
  const finding = judgeStage(stage("default-deny"), pairs, all(silent), before)[0];
  expect(finding).toMatchObject({
    status: "blocked",
    seen: "pod-to-pod from w1/probe-a to w1/probe-b failed",
  });
});

test("is proven by changes alone: it asks and judges nothing beforehand", () => {
  const { facts } = world();
  expect(facts.requestsOf("network-policy")).toEqual([]);
  expect(judge(facts).get("network-policy")).toEqual([]);
});

test("passes for every pair at every step where the network does as the policies say", () => {
  for (const current of STAGES) {
    const answers = new Map(
      pairs.map(({ id, probe, target, ask }) => [
        id,
        current.allows(probe, target.slice(target.indexOf("/") + 1), ask.protocol) ? ok : silent,
      ]),
    );
    expect(judgeStage(current, pairs, answers, all(ok)).map(({ status }) => status)).toEqual(pairs.map(() => "passed"));
  }
});

test("does not apply to a network that enforces no policy: one finding says why, and nothing is changed", async () => {
  const { facts } = world({ notApplicable: NO_PROMISE });
  const verdicts = await prove(facts, judge(facts), {} as never, [networkPolicy, podToPod]);
  expect(verdicts.get("network-policy")).toEqual([
    {
      source: "bridge",
      target: "NetworkPolicy",
      status: "not-applicable",
      expected: "policies are enforced",
      seen: "no policy engine",
    },
  ]);
});
