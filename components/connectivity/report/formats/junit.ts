import { CLAIMS } from "../../claims";
import type { Finding } from "../finding";
import type { Report } from "../report";
import { causeText } from "../table";
import { xml } from "./xml";

/** The findings as JUnit's XML: a suite for each claim, a case for each proof; what is blocked or does not apply is skipped. */
export function junit(report: Report, findings: readonly Finding[]): string {
  const suites = CLAIMS.flatMap(({ id, title }) => {
    const own = findings.filter(({ claim }) => claim === id);
    return own.length === 0 ? [] : [suite(id, title, own)];
  });
  const causes = report.causes.map(causeText).join("\n");
  return [
    `<?xml version="1.0" encoding="UTF-8"?>`,
    `<testsuites name="podnet connectivity" ${counts(findings)} time="${report.seconds.toFixed(1)}">`,
    ...suites,
    ...(causes === "" ? [] : [`  <system-out>${xml(causes)}</system-out>`]),
    `</testsuites>`,
    "",
  ].join("\n");
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
