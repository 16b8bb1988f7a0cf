import { expect, test } from "vitest";
import { networkPolicy } from "../../../components/connectivity/claims/network-policy";
import { Coverage, coverageOf } from "../../../components/connectivity/coverage";
import { planRequests } from "../../../components/connectivity/plan";
import { type Request, sizeOf } from "../../../components/connectivity/request";
import { type Change, countsOf, placesOf, problemsOf, silent, world } from "./world";

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `n${String(index)}`);
const requestsOf = (count: number, more = {}): Request[] =>
  planRequests(placesOf({ nodes: names(count), ...more }).topology);

/** Numbers of requests by claim, each pod that one of them asks counted. */
function counts(requests: readonly Request[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const request of requests) {
    found[request.claim] = (found[request.claim] ?? 0) + sizeOf(request);
  }
  return found;
}

/** Who asks whose pods by TCP, `NODE/PROBE NODE/PROBE` each, on other nodes. */
function asked(requests: readonly Request[]): string[] {
  return requests.flatMap(({ claim, node, source, targetNode, target, ask }) =>
    claim !== "pod-to-pod" || ask.protocol !== "TCP"
      ? []
      : ask.kind === "reach"
        ? ask.to.map((pod) => `${source} ${pod.node}/${pod.probe}`)
        : node === targetNode
          ? []
          : [`${source} ${target}`],
  );
}

/** The nodes of such a pair. */
const nodesOf = (pair: string): string => pair.replaceAll(/\/probe-[ab]/g, "");

/** Numbers of requests of each claim, in a sample of so many nodes: by formulas of their own. */
function sampled(n: number): Record<string, number> {
  return {
    localhost: n * 4,
    // On each node and to eight others every pair of two pods by two protocols, and one request to each further node.
    "pod-to-pod": n * (2 * 2 + 8 * 8) + n * (n - 1 - 8),
    "node-to-pod": n * 9 * 4,
    "pod-to-node": n * 9 * 4,
    mtu: n * 8 * 2,
    fragments: n * 8,
    loss: n * 8,
    // The check's own by two probes and two protocols; the program's by two probes; and its two pods.
    service: n * 4 + n * 2 + 2,
    hairpin: n * 2,
    api: n * 2,
    // The name, and of the one server too.
    dns: n * 2,
    egress: n,
  };
}

test("up to thirty nodes everything is asked, beyond a sample, and a run can be told which", () => {
  const kindOf = (count: number, coverage?: "full" | "sampled"): string =>
    coverageOf({ nodes: Object.fromEntries(names(count).map((name) => [name, {} as never])), coverage }).kind;
  expect([1, 3, 30, 31, 1000].map((count) => kindOf(count))).toEqual(["full", "full", "full", "sampled", "sampled"]);
  expect(kindOf(31, "full")).toBe("full");
  expect(kindOf(3, "sampled")).toBe("sampled");
});

test.each([3, 30])("on %i nodes every pair is asked", (n) => {
  expect(counts(requestsOf(n))).toEqual({
    localhost: n * 4,
    "pod-to-pod": 2 * n * (2 * n - 1) * 2,
    "node-to-pod": n * 2 * n * 2,
    "pod-to-node": 2 * n * n * 2,
    mtu: n * (n - 1) * 2,
    fragments: n * (n - 1),
    loss: n * (n - 1),
    service: n * 4 + n * 2 + 2,
    hairpin: n * 2,
    api: n * 2,
    dns: n * 2,
    egress: n,
  });
});

test.each([
  [31, 6543],
  [100, 28_002],
  [1000, 1_180_002],
])("a sample of %i nodes asks %i requests: one of each ordered pair, and a fixed number of each node", (n, total) => {
  const requests = requestsOf(n);
  expect(counts(requests)).toEqual(sampled(n));
  expect(requests.reduce((sum, request) => sum + sizeOf(request), 0)).toBe(total);
  // What a node is told is a line for each small request, and one for all others of each of its pods.
  expect(requests).toHaveLength(total - n * (n - 9) + 2 * n);
  const pairs = asked(requests);
  expect(new Set(pairs).size).toBe(pairs.length);
  expect(new Set(pairs.map(nodesOf)).size).toBe(n * (n - 1));
  const [a = 0, b = 0] = ["probe-a", "probe-b"].map(
    (own) => pairs.filter((pair) => pair.startsWith(`n3/${own}`)).length,
  );
  expect(Math.abs(a - b)).toBeLessThanOrEqual(1);
});

test("where a sample of few nodes is asked for, it is everything", () => {
  expect(requestsOf(3, { coverage: "sampled" })).toEqual(requestsOf(3));
  expect(new Coverage(names(3), "sampled", 1).text().notAsked).toEqual([]);
});

test("the same seed gives the same requests, and another one others", () => {
  expect(requestsOf(40, { seed: 7 })).toEqual(requestsOf(40, { seed: 7 }));
  expect(requestsOf(40, { seed: 8 })).not.toEqual(requestsOf(40, { seed: 7 }));
  expect(requestsOf(40, { seed: 8 })).toHaveLength(requestsOf(40, { seed: 7 }).length);
  expect(new Coverage(names(40), "sampled", 7).peersOf("n0")).toEqual(
    new Coverage(names(40), "sampled", 7).peersOf("n0"),
  );
});

test("each node asks everything of eight others and is asked by eight, and begins with another one than the rest do", () => {
  const coverage = new Coverage(names(100), "sampled", 42);
  const asked = names(100).map((node) => coverage.peersOf(node));
  expect(asked.every((peers, index) => peers[0] === `n${String(index)}` && new Set(peers).size === 9)).toBe(true);
  const by = names(100).map((node) => asked.filter((peers) => peers.includes(node)).length);
  expect(new Set(by)).toEqual(new Set([9]));
  const others = names(100).map((node) => coverage.othersOf(node));
  expect(new Set(others.map(({ length }) => length))).toEqual(new Set([91]));
  expect(new Set(others.map(([first]) => first)).size).toBe(100);
});

test("each pod asks, and is asked, beyond the few nodes of which all is asked", () => {
  const reached = requestsOf(100).flatMap(({ source, ask }) =>
    ask.kind === "reach" ? ask.to.map((pod) => [source, `${pod.node}/${pod.probe}`] as const) : [],
  );
  expect(new Set(reached.map(([from]) => from)).size).toBe(200);
  expect(new Set(reached.map(([, to]) => to)).size).toBe(200);
});

test("behind the check's own Service are ten pods in a sample, whatever the seed, and all of them else", () => {
  const members = (count: number, seed: number): string[] =>
    placesOf({ nodes: names(count), seed }).topology.members.map(({ node }) => node);
  expect(members(100, 1)).toEqual(["n0", "n10", "n20", "n30", "n40", "n50", "n60", "n70", "n80", "n90"]);
  expect(members(100, 2)).toEqual(members(100, 1));
  expect(members(30, 1)).toHaveLength(30);
});

test("of many servers each node asks a few, and all nodes together ask each of them", () => {
  const coverage = new Coverage(names(100), "sampled", 1);
  const servers = names(62);
  const asked = names(100).map((node) => coverage.fewOf(node, servers));
  expect(new Set(asked.map((some) => new Set(some).size))).toEqual(new Set([8]));
  expect(new Set(asked.flat()).size).toBe(62);
  expect(coverage.fewOf("n0", names(3))).toEqual(names(3));
  expect(new Coverage(names(30), "full", 1).fewOf("n0", servers)).toEqual(servers);
});

test("one missing route between any two nodes of a sample is found, and named", () => {
  const coverage = new Coverage(names(60), "sampled", 1);
  const other = coverage.othersOf("n17")[20] ?? "";
  const peer = coverage.peersOf("n17")[3] ?? "";
  for (const [to, failed] of [
    [other, 1],
    [peer, 8],
  ] as const) {
    const found = problemsOf("pod-to-pod", {
      nodes: names(60),
      answer: (request, good) => (request.node === "n17" && request.targetNode === to ? silent : good),
    });
    expect(found).toHaveLength(failed);
    expect(found[0]).toMatch(new RegExp(`^n17/probe-[ab] -> ${to}/probe-[ab] TCP failed: an answer \\| no answer`));
  }
});

test("where very many are not reached, some are named and all are counted", () => {
  const change: Change = {
    nodes: names(150),
    answer: ({ node, targetNode }, good) => (node === "n7" && targetNode !== "n7" ? silent : good),
  };
  const found = problemsOf("pod-to-pod", change);
  // To eight peers by all pairs and both protocols, and of the other 141 a half by each pod.
  expect(countsOf("pod-to-pod", change).failed).toBe(8 * 8 + 141);
  expect(found.filter((text) => text.includes(" more pods of other nodes "))).toEqual([
    "n7/probe-b -> 21 more pods of other nodes TCP failed: an answer | no answer within 1.5 s",
    "n7/probe-a -> 20 more pods of other nodes TCP failed: an answer | no answer within 1.5 s",
  ]);
});

test.each(["TCP", "UDP"])(
  "a node whose pods reach no other node is cut off, so that nothing is said of its Services by %s",
  (protocol) => {
    const found = problemsOf("hairpin", {
      nodes: names(40),
      answer: ({ claim, node, targetNode, ask }, good) =>
        node === "n3" &&
        ask.protocol === protocol &&
        (claim === "hairpin" || (claim === "pod-to-pod" && targetNode !== "n3"))
          ? silent
          : good,
    });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(
      /^n3\/probe-b -> hairpin \w+ blocked: .* \| pod-to-pod from n3\/probe-[ab] to \S+ over \w+ failed$/,
    );
  },
);

test("policies are tried between the nodes that ask everything of each other", async () => {
  const { facts } = world({ nodes: names(40) });
  const asked: number[] = [];
  const client = { delete: () => Promise.resolve(), create: () => Promise.resolve() };
  await networkPolicy
    .prove({
      ...facts,
      client: client as never,
      say: () => undefined,
      verdictsOf: () => [],
      ask: (requests) => {
        asked.push(requests.length);
        return Promise.reject(new Error("enough"));
      },
    })
    .catch(() => undefined);
  expect(asked).toEqual([40 * (4 + 8 * 8)]);
});
