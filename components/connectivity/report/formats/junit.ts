import { grouped } from "../../../args/grouped";
import { CLAIMS } from "../../claims";
import type { Finding } from "../finding";
import { LISTED, type Report } from "../report";
import { causeText } from "../table";
import { xml } from "./xml";

/**
 * The findings as JUnit's XML: a suite for each claim, a case for each proof; what is blocked or does not apply is skipped. Of a claim
 * with more proofs than a report lists, those that passed are a case for each asker.
 */
export function junit(report: Report, findings: readonly Finding[]): string {
  const byClaim = grouped(findings, ({ claim }) => claim);
  const cases = CLAIMS.map(({ id, title }) => ({ id, title, own: condensed(byClaim.get(id) ?? []) }));
  const suites = cases.flatMap(({ id, title, own }) => (own.length === 0 ? [] : [suite(id, title, own)]));
  const causes = report.causes.map(causeText).join("\n");
  return [
    `<?xml version="1.0" encoding="UTF-8"?>`,
    `<testsuites name="podnet connectivity" ${counts(cases.flatMap(({ own }) => own))} time="${report.seconds.toFixed(1)}">`,
    ...suites,
    ...(causes === "" ? [] : [`  <system-out>${xml(causes)}</system-out>`]),
    `</testsuites>`,
    "",
  ].join("\n");
}

/** Findings of a claim, or of very many those that did not pass, up to a number, and for each asker one that stands for those that did. */
function condensed(findings: readonly Finding[]): readonly Finding[] {
  const [first] = findings;
  if (first === undefined || findings.length <= LISTED) {
    return findings;
  }
  const others = findings.filter(({ status }) => status !== "passed");
  const failures = others.filter(({ status }) => status === "failed");
  const shown = [...failures, ...others.filter(({ status }) => status !== "failed")].slice(0, LISTED);
  const passed = grouped(
    findings.filter(({ status }) => status === "passed"),
    ({ source, protocol = "" }) => `${source} ${protocol}`,
  );
  const more = others.length - shown.length;
  return [
    ...shown,
    ...(more > 0
      ? [
          {
            ...first,
            source: "all",
            target: `${String(more)} more proofs`,
            status: failures.length > 0 ? "failed" : "blocked",
            seen: "more than are listed",
          } as const,
        ]
      : []),
    ...[...passed.values()].flatMap(([one, ...rest]) =>
      one === undefined ? [] : [rest.length === 0 ? one : { ...one, target: `${String(rest.length + 1)} others` }],
    ),
  ];
}

/** The counts of findings as the attributes that a suite, and all of them together, have. */
function counts(findings: readonly Finding[]): string {
  const count = (...statuses: Finding["status"][]): string =>
    String(findings.filter(({ status }) => statuses.includes(status)).length);
  return `tests="${String(findings.length)}" failures="${count("failed")}" skipped="${count("blocked", "not-applicable")}" errors="0"`;
}

function suite(id: string, title: string, findings: readonly Finding[]): string {
  return [
    `  <testsuite name="${xml(`${id}: ${title}`)}" ${counts(findings)}>`,
    ...findings.map((finding) => `    ${testcase(finding)}`),
    `  </testsuite>`,
  ].join("\n");
}

function testcase({ claim, source, target, protocol, status, expected, seen }: Finding): string {
  const name = `${source} -> ${target}${protocol === undefined ? "" : ` (${protocol})`}`;
  const head = `<testcase classname="${xml(claim)}" name="${xml(name)}"`;
  const words = xml(`expected ${expected}; saw ${seen}`);
  switch (status) {
    case "passed":
      return `${head}/>`;
    case "failed":
      return `${head}><failure message="${words}"/></testcase>`;
    default:
      return `${head}><skipped message="${xml(`${status}: ${seen}`)}"/></testcase>`;
  }
}
