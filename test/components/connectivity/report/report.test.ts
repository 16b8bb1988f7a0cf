import { expect, test } from "vitest";
import { Coverage } from "../../../../components/connectivity/coverage";
import { CLAIMS } from "../../../../components/connectivity/claims";
import type { Finding } from "../../../../components/connectivity/report/finding";
import { LISTED, summarize } from "../../../../components/connectivity/report/report";
import { palette, renderTable } from "../../../../components/connectivity/report/table";
import { FULL } from "../world";

const finding = (claim: Finding["claim"], status: Finding["status"], seen = ""): Finding => ({
  claim,
  source: "a",
  target: "b",
  status,
  expected: "",
  seen,
});
const context = { nodes: ["cp", "w1"], network: "flannel-vxlan", seconds: 3, warnings: [], causes: [], coverage: FULL };
const proven = CLAIMS.filter(({ id }) => id !== "network-policy").map(({ id }) => finding(id, "passed"));

test("a claim that does not apply is counted with its reason and is no failure", () => {
  const report = summarize(
    [
      ...proven,
      finding("no-nat", "not-applicable", "an overlay"),
      finding("no-nat", "not-applicable", "an overlay"),
      finding("network-policy", "not-applicable", "no engine"),
    ],
    context,
  );
  expect(report.passed).toBe(true);
  expect(report.claims["no-nat"]).toEqual({ passed: 1, failed: 0, blocked: 0, "not-applicable": 2 });
  expect(report.notApplicable).toEqual([
    { claim: "no-nat", count: 2, reason: "an overlay" },
    { claim: "network-policy", count: 1, reason: "no engine" },
  ]);
  const table = renderTable(report, palette(false));
  expect(table).toContain("  ○ network-policy       n/a  no engine\n");
  expect(table).toContain("  ○ no-nat: 2 more do not apply: an overlay\n");
  expect(table).toContain("  the network is proven: flannel-vxlan (18 of 18 proofs, 3.0 s)");
});

test("a claim without any finding leaves the network unproven", () => {
  const report = summarize(proven, context);
  expect(report.passed).toBe(false);
  expect(renderTable(report, palette(false))).toContain("the network is not proven (18 of 18 proofs, 3.0 s)");
});

test("warnings stand in the table", () => {
  const report = summarize(proven, { ...context, warnings: ["NetworkPolicy default/deny has no effect: advice"] });
  expect(renderTable(report, palette(false))).toContain("  ! NetworkPolicy default/deny has no effect: advice\n");
});

test("a claim that needs two nodes is not missed on one", () => {
  const all = CLAIMS.filter(({ id }) => id !== "mtu").map(({ id }) => finding(id, "passed"));
  expect(summarize(all, { ...context, nodes: ["cp"] }).passed).toBe(true);
  expect(summarize(all, context).passed).toBe(false);
});

test("failures between nodes are drawn, and those of Services are not", () => {
  const drawn = (failed: Finding): string[] =>
    renderTable(summarize([failed], context), palette(false))
      .split("\n")
      .filter((line) => /^ {2}(from|cp|w1) /.test(line));
  expect(drawn({ ...finding("no-nat", "failed"), source: "w1/probe-a", target: "cp" })).toEqual([
    "  from \\ to   cp   w1",
    "  cp           ·    ·",
    "  w1           ✗    ·",
  ]);
  expect(drawn({ ...finding("service", "failed"), source: "w1/probe-b", target: "probe" })).toEqual([]);
});

test("causes stand before all else, with what failed by each, and no claim's failures hide another's", () => {
  const failed = (claim: Finding["claim"], count: number): Finding[] =>
    Array.from({ length: count }, (_, index) => ({
      ...finding(claim, "failed", "silence"),
      target: `b${String(index)}`,
    }));
  const causes = [
    { place: "w1", hop: "routes", text: "the route to 10.244.2.0/24 via 192.0.2.12 is missing", proofs: 24 },
    { place: "w2", hop: "as-made", text: "kubelet is inactive", proofs: 0 },
  ] as const;
  const report = summarize([...failed("pod-to-pod", 7), ...failed("hairpin", 1)], { ...context, causes });
  const lines = renderTable(report, palette(false)).split("\n");
  expect(lines.slice(0, 4)).toEqual([
    "  2 causes:",
    "  ▸ w1: the route to 10.244.2.0/24 via 192.0.2.12 is missing (24 proofs failed by it)",
    "  ▸ w2: kubelet is inactive",
    "",
  ]);
  expect(lines.filter((line) => / -> |more of/.test(line))).toEqual([
    ...[0, 1, 2, 3, 4].map((index) => `  ✗ pod-to-pod: a -> b${String(index)}: expected ; saw silence`),
    "  … and 2 more of pod-to-pod",
    "  ✗ hairpin: a -> b0: expected ; saw silence",
  ]);
});

test("of a sample the table says what drew it, what was asked and what was not", () => {
  const coverage = new Coverage(
    Array.from({ length: 40 }, (_, index) => `n${String(index)}`),
    "sampled",
    4711,
  ).text();
  expect(coverage).toMatchObject({ kind: "sampled", seed: 4711, peers: 8 });
  const lines = renderTable(summarize(proven, { ...context, coverage }), palette(false)).split("\n");
  expect(lines).toContain("  a sample, drawn by the seed 4711:");
  expect(lines.filter((line) => line.startsWith("  · asked: "))).toHaveLength(3);
  expect(lines.filter((line) => line.startsWith("  · not asked: "))).toEqual([
    "  · not asked: between the other 1240 ordered pairs of nodes: UDP, node to pod and pod to node, the MTU, fragments, loss, every further pair of pods",
    "  · not asked: a Service's nodePort and a headless Service's pods from every node: each node asks those of itself and of its 8 others",
    "  · not asked: each server of the cluster's DNS from every node, where there are more than 8",
    "  · not asked: NetworkPolicies but on each node and to its 8 others",
  ]);
  expect(renderTable(summarize(proven, context), palette(false))).not.toContain("sample");
});

test("a finding that stands for many is counted as many, and of very many a report lists some and counts the others", () => {
  const many = { ...finding("pod-to-pod", "passed"), count: 496 };
  const failed = Array.from({ length: LISTED + 5 }, () => finding("loss", "failed"));
  const report = summarize([many, ...failed], context);
  expect(report.claims["pod-to-pod"].passed).toBe(496);
  expect(report.claims.loss.failed).toBe(LISTED + 5);
  expect(report.problems).toHaveLength(LISTED);
  expect(report.unlisted).toBe(5);
});
