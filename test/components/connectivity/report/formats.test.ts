import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { XMLParser } from "fast-xml-parser";
import { expect, test } from "vitest";
import { CLAIMS } from "../../../../components/connectivity/claims";
import type { Finding } from "../../../../components/connectivity/report/finding";
import { junit } from "../../../../components/connectivity/report/formats/junit";
import { markdown } from "../../../../components/connectivity/report/formats/markdown";
import { prometheus } from "../../../../components/connectivity/report/formats/prometheus";
import { summarize } from "../../../../components/connectivity/report/report";
import { reportJsonSchema, reportSchema } from "../../../../components/connectivity/report/schema";
import { findingsOf, FULL, silent } from "../world";

const SCHEMA = join(__dirname, "../../../../docs/report.schema.json");

/** JUnit's XML, as its parser gives it. */
interface Suites {
  readonly testsuite: readonly {
    readonly name: string;
    readonly tests: string;
    readonly testcase: readonly {
      readonly classname: string;
      readonly name: string;
      readonly failure?: { readonly message: string };
      readonly skipped?: { readonly message: string };
    }[];
  }[];
  readonly "system-out": string;
}

const fresh: Finding = {
  claim: "fresh-pod",
  source: "w1",
  target: "a new pod",
  status: "failed",
  expected: 'a <new> pod & "more"',
  seen: "plugin\u0000 | `bridge`",
};
const findings: Finding[] = [
  ...findingsOf({
    services: [],
    found: [],
    notApplicable: [{ promise: "policy", reason: "no engine" }],
    answer: ({ claim, node, targetNode }, good) =>
      claim === "pod-to-pod" && node === "w1" && targetNode === "w2" ? silent : good,
  }),
  fresh,
];
const report = summarize(findings, {
  nodes: ["cp", "w1", "w2"],
  network: "bridge",
  seconds: 3.25,
  warnings: ["w1: a <warning>"],
  causes: [{ place: "w1", hop: "routes", text: "the route is missing", example: "to 10.244.2.2", proofs: 8 }],
  coverage: FULL,
});

test("the published JSON Schema is that of the report, which holds to it", () => {
  const schema = JSON.stringify(reportJsonSchema(), null, 2);
  if (process.env["UPDATE_SCHEMA"]) {
    writeFileSync(SCHEMA, `${schema}\n`);
  }
  expect(JSON.parse(readFileSync(SCHEMA, "utf8"))).toEqual(JSON.parse(schema));
  const written = JSON.parse(JSON.stringify(report)) as unknown;
  expect(reportSchema.parse(written)).toEqual(written);
  expect(reportSchema.safeParse({ ...(written as object), version: 2 }).success).toBe(false);
});

test("JUnit has a case for each proof, and what another parser reads of it is what was found", () => {
  const text = junit(report, findings);
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: "",
    isArray: (name) => name === "testsuite" || name === "testcase",
  });
  const { testsuites } = parser.parse(text, true) as { testsuites: Suites };
  const { testsuite, "system-out": out, ...head } = testsuites;
  const cases = testsuite.flatMap((suite) => suite.testcase);
  const seen = {
    head,
    out,
    suites: testsuite.map(({ name, tests, testcase }) => [name, Number(tests) - testcase.length] as const),
    failures: cases.flatMap(({ classname, name, failure }) => (failure ? [[classname, name, failure.message]] : [])),
    skipped: cases.flatMap(({ skipped }) => (skipped ? [skipped.message] : [])),
  };
  const of = (status: string): Finding[] => findings.filter((finding) => finding.status === status);
  expect(seen.head).toEqual({
    name: "podnet connectivity",
    tests: String(findings.length),
    failures: "9",
    skipped: String(of("blocked").length + of("not-applicable").length),
    errors: "0",
    time: "3.3",
  });
  expect(seen.suites.slice(0, 1)).toEqual([[`as-made: ${CLAIMS[0]?.title ?? ""}`, 0]]);
  expect(seen.suites.filter(([, missing]) => missing !== 0)).toEqual([]);
  expect(seen.failures[0]).toEqual([
    "pod-to-pod",
    "w1/probe-a -> w2/probe-a (TCP)",
    "expected an answer; saw no answer within 1.5 s",
  ]);
  expect(seen.failures.at(-1)).toEqual([
    "fresh-pod",
    "w1 -> a new pod",
    'expected a <new> pod & "more"; saw plugin? | `bridge`',
  ]);
  expect(seen.skipped).toContain("not-applicable: no engine");
  expect(seen.out).toBe("w1: the route is missing, such as those to 10.244.2.2 (8 proofs failed by it)");
});

test("Markdown has the verdict, the causes, each claim and the failures, and nothing that a cell breaks at", () => {
  const lines = markdown(report).split("\n");
  expect(lines[0]).toMatch(/^## ❌ the network is broken \(\d+ of \d+ proofs, 3\.3 s\)$/);
  expect(lines.slice(2, 5)).toEqual([
    "### Causes",
    "",
    "- w1: the route is missing, such as those to 10.244.2.2 (8 proofs failed by it)",
  ]);
  expect(lines).toContain("| ❌ | `pod-to-pod` | 52/60 | 8 failed |");
  expect(lines).toContain("| ⚪ | `network-policy` | n/a | no engine |");
  expect(lines).toContain("- w1: a \\<warning\\>");
  expect(lines.filter((line) => line.startsWith("| "))).toHaveLength(CLAIMS.length + 2);
  expect(lines.at(-2)).toBe(
    '- fresh-pod: w1 -\\> a new pod: expected a \\<new\\> pod & "more"; saw plugin \\| \\`bridge\\`',
  );
  const sound = summarize(
    findings.filter(({ status }) => status === "passed"),
    { nodes: ["cp", "w1", "w2"], network: "bridge", seconds: 3, warnings: [], causes: [], coverage: FULL },
  );
  expect(markdown(sound)).not.toMatch(/Causes|Failures|Warnings/);
});

test("Prometheus' text has a sample for each claim and result, and for each pair", () => {
  const lines = prometheus(report).split("\n");
  expect(lines.slice(0, 3)).toEqual([
    "# HELP podnet_check_passed Whether every claim holds, 1 or 0.",
    "# TYPE podnet_check_passed gauge",
    'podnet_check_passed{network="bridge"} 0',
  ]);
  expect(lines).toContain('podnet_proof_total{network="bridge",claim="pod-to-pod",result="failed"} 8');
  expect(lines).toContain('podnet_loss_ratio{network="bridge",source="cp/probe-a",target="w2/probe-b"} 0');
  expect(lines).toContain('podnet_latency_milliseconds{network="bridge",source="cp/probe-a",target="w2/probe-b"} 0.05');
  expect(lines.filter((line) => line.startsWith("podnet_proof_total{"))).toHaveLength(4 * CLAIMS.length);
  // Each line is a comment or a sample (https://prometheus.io/docs/instrumenting/exposition_formats/).
  expect(
    lines.slice(0, -1).filter((line) => !/^(# (HELP|TYPE) \w+ .+|\w+\{(\w+="[^"]*",?)+\} [0-9.]+)$/.test(line)),
  ).toEqual([]);
});
