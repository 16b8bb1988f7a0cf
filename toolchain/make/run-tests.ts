import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../components/args/validate";
import { AGENT_NETWORKS } from "../supply/agents";
import { run } from "../host/exec";
import { ensurePackages, TEST_NEEDS } from "../host/system";
import { down } from "./down";
import { type Context, prepare } from "./prepare";
import { hasBackend } from "./backend";
import { closingLine, labReport, readReport, unitReport } from "./tests";

/** A suite of long tests on the lab, named as its make target is; `vitest.lab.config.mts` lists its files. */
export type Suite = "soak" | "faults";

/** `make test`, or a long suite of the lab's tests: runs them and says how many passed. */
export async function test(context: Context, suite?: Suite): Promise<number> {
  const { paths, project, progress } = context;
  // A lab that somebody uses stays; what the tests alone needed goes when they are done.
  const fresh = !hasBackend(paths);
  mkdirSync(paths.testResults, { recursive: true });
  const files = [unitReport(paths), labReport(paths)];
  files.forEach((file) => rmSync(file, { force: true }));
  const vitest = join(project, "node_modules", "vitest", "vitest.mjs");
  const runTests = async (config: string, report: string, extra: Record<string, string>): Promise<void> => {
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const args = [vitest, "run", "--config", config, ...reporters];
    await run(process.execPath, args, { cwd: project, env: { ...process.env, ...extra }, echo: true });
  };
  let setUp: string | undefined;
  let extra: Record<string, string> = {};
  try {
    if (suite === undefined) {
      await ensurePackages(progress, TEST_NEEDS);
    }
    const { toolchain, env: variables } = await prepare(context, AGENT_NETWORKS);
    extra = { ...variables, PODNET_MIRROR: toolchain.mirrorDir };
  } catch (error) {
    setUp = messageOf(error);
    progress.say(`set-up failed: ${setUp}`);
  }
  if (suite === undefined) {
    await runTests("vitest.config.mts", unitReport(paths), extra);
  }
  if (setUp === undefined) {
    await runTests("vitest.lab.config.mts", labReport(paths), {
      ...extra,
      ...(suite && { PODNET_SUITE: suite }),
    });
  }
  const reports = (suite === undefined ? files : files.slice(1)).map((file) => readReport(file));
  const total = closingLine(reports, setUp !== undefined);
  if (fresh) {
    await down(context);
  }
  console.log(total.line);
  return total.failed === 0 ? 0 : 1;
}
