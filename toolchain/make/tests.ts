import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ClonePaths } from "../host/paths";

/** Passed and failed tests of one run. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
}

/** Where vitest writes the results of the tests without a lab. */
export function unitReport(paths: ClonePaths): string {
  return join(paths.testResults, "unit.json");
}

/** Where vitest writes the results of the tests on a lab. */
export function labReport(paths: ClonePaths): string {
  return join(paths.testResults, "lab.json");
}

/**
 * Counts a run's tests out of vitest's JSON report. A test that did not run, and a file that could not be loaded, counts as
 * failed; so does a report that is missing.
 */
export function readReport(path: string): TestCounts {
  if (!existsSync(path)) {
    return { passed: 0, failed: 1 };
  }
  const report = JSON.parse(readFileSync(path, "utf8")) as {
    numPassedTests: number;
    numTotalTests: number;
    testResults: { status: string; assertionResults: unknown[] }[];
  };
  const unloaded = report.testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
  ).length;
  return { passed: report.numPassedTests, failed: report.numTotalTests - report.numPassedTests + unloaded };
}

/** The last line of `make test`: `N passed, N failed`. A set-up that failed counts as a test that did. */
export function closingLine(
  reports: readonly TestCounts[],
  setUpFailed: boolean,
): TestCounts & { readonly line: string } {
  const passed = reports.reduce((sum, report) => sum + report.passed, 0);
  const failed = reports.reduce((sum, report) => sum + report.failed, setUpFailed ? 1 : 0);
  return { passed, failed, line: `${String(passed)} passed, ${String(failed)} failed` };
}
