import { expect, test } from "vitest";
import { CLAIMS } from "../../../components/connectivity/claims";
import { judge } from "../../../components/connectivity/judge";
import { planRequests } from "../../../components/connectivity/plan";
import { findingsOf } from "../../../components/connectivity/report/finding";
import { claimsIn, summarize } from "../../../components/connectivity/report/report";
import { palette, renderTable, verdictText } from "../../../components/connectivity/report/table";
import { markdown } from "../../../components/connectivity/report/formats/markdown";
import { claimsOf, isAsked, isReported, partOf, refuseUnknownNodes } from "../../../components/connectivity/selection";
import { world, FULL } from "./world";

const NODES = ["cp", "w1", "w2"];

test("a run of everything has all claims and no part to tell of", () => {
  expect(claimsOf({})).toEqual(CLAIMS);
  expect(partOf({}, NODES)).toBeUndefined();
});

test.each([
  [["localhost"], ["localhost"]],
  [["no-nat"], ["pod-to-pod", "node-to-pod", "pod-to-node", "no-nat"]],
  [
    ["pod-ip", "as-made"],
    ["as-made", "pod-to-pod", "node-to-pod", "pod-to-node", "no-nat", "pod-ip"],
  ],
])("the claims %j go with all that they build on, in the order of the report", (names, expected) => {
  expect(claimsOf({ claims: names }).map(({ id }) => id)).toEqual(expected);
  expect(partOf({ claims: names }, NODES)).toEqual({ claims: expected, nodes: NODES });
});

test("names that are none are refused together, with what was meant", () => {
  expect(() => claimsOf({ claims: ["pod-to-pd", "dns", "zzz"] })).toThrow(
    /^there is no claim "pod-to-pd"; did you mean "pod-to-pod"\?; there is no claim "zzz"; there are as-made, localhost, /,
  );
  expect(() => refuseUnknownNodes({ nodes: ["w9"] }, NODES)).toThrow('there is no node "w9"; did you mean "w1"?');
  expect(() => refuseUnknownNodes({ nodes: ["w2"] }, NODES)).not.toThrow();
});

test("of a node, what begins or ends there is asked and told, and what is about no node", () => {
  const w1 = { nodes: ["w1"] };
  expect(isAsked(w1, { node: "cp" })).toBe(false);
  expect(isAsked(w1, { node: "cp", targetNode: "w1" })).toBe(true);
  expect(isAsked(w1, { node: "w1", targetNode: "cp" })).toBe(true);
  expect(isAsked({}, { node: "cp" })).toBe(true);
  expect(isReported(w1, { source: "cp/probe-a", target: "w2/probe-a" }, NODES)).toBe(false);
  expect(isReported(w1, { source: "cp/probe-a", target: "w1" }, NODES)).toBe(true);
  expect(isReported(w1, { source: "default/web", target: "default/web" }, NODES)).toBe(true);
});

test("a part that holds is proven as what was asked, and only its claims are in the report's table", () => {
  const { facts, requests } = world({});
  const selection = { claims: ["localhost"], nodes: ["w1"] };
  const claims = claimsOf(selection);
  expect(planRequests(facts.topology, claims).every(({ claim }) => claim === "localhost")).toBe(true);
  expect(requests.filter(({ claim }) => claim === "localhost")).toHaveLength(12);
  const findings = findingsOf(judge(facts, claims)).filter((finding) => isReported(selection, finding, NODES));
  const report = summarize(findings, {
    nodes: NODES,
    network: "bridge",
    seconds: 1,
    warnings: [],
    causes: [],
    coverage: FULL,
    part: partOf(selection, NODES),
  });
  expect(report.passed).toBe(true);
  expect(claimsIn(report).map(({ id }) => id)).toEqual(["localhost"]);
  expect(verdictText(report)).toBe("what was asked is proven: bridge (4 of 4 proofs, 1.0 s)");
  const said = `only a part was asked: 1 of ${String(CLAIMS.length)} claims, about w1`;
  const table = renderTable(report, palette(false));
  expect(table.split("\n").slice(0, 2)).toEqual([
    `  ${said}`,
    "  ✓ localhost            4/4  containers of a pod share localhost",
  ]);
  expect(table).not.toContain("pod-to-pod");
  expect(markdown(report)).toContain(`\n${said}\n`);
});

test("a part of which nothing applies has not passed", () => {
  const finding = {
    claim: "as-made",
    source: "n",
    target: "nodes",
    status: "not-applicable",
    expected: "",
    seen: "",
  } as const;
  const report = summarize([finding], {
    nodes: NODES,
    network: "bridge",
    seconds: 1,
    warnings: [],
    causes: [],
    coverage: { kind: "full", asked: [], notAsked: [] },
    part: { claims: ["as-made"], nodes: NODES },
  });
  expect(report.passed).toBe(false);
});

test("a part without a proof has not passed", () => {
  const context = { nodes: NODES, network: "bridge", seconds: 1, warnings: [], causes: [], coverage: FULL };
  expect(summarize([], { ...context, part: partOf({ claims: ["localhost"] }, NODES) }).passed).toBe(false);
});
