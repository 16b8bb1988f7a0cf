import { existsSync } from "node:fs";
import type * as Automation from "@pulumi/pulumi/automation";
import { z } from "zod";
import { must } from "../host/exec";
import type { ClonePaths } from "../host/paths";
import { STACK } from "./env";

/** What the CLI lists of the stacks of a backend. */
const listedStacks = z.array(z.object({ name: z.string(), resourceCount: z.number() }));

/** A stack of a clone's backend that has resources. */
export interface OtherStack {
  /** Its name, with that of its project where it is of another one. */
  readonly name: string;
  readonly resources: number;
}

/** The stacks of a clone's backend that have resources, beside the one of the make targets. */
export async function otherStacks(paths: ClonePaths, env: Readonly<Record<string, string>>): Promise<OtherStack[]> {
  const text = await must("pulumi", ["stack", "ls", "--all", "--json", "--non-interactive"], {
    cwd: paths.project,
    env: { ...process.env, ...env },
  });
  return listedStacks
    .parse(JSON.parse(text))
    .filter(({ name, resourceCount }) => name !== STACK && resourceCount > 0)
    .map(({ name, resourceCount }) => ({ name, resources: resourceCount }));
}

/** Whether a clone has a backend; without one it has no stack either. */
export function hasBackend(paths: ClonePaths): boolean {
  return existsSync(paths.state);
}

/** The workspace of a clone, and the Automation API that it is of. */
export async function openWorkspace(
  paths: ClonePaths,
  env: Readonly<Record<string, string>>,
): Promise<{ api: typeof Automation; workspace: Automation.LocalWorkspace }> {
  // The API looks for the CLI on this process's PATH.
  process.env["PATH"] = env["PATH"];
  // The API takes half a second to load: meanwhile the CLI says its version.
  const { PulumiCommand } = await import("@pulumi/pulumi/automation/cmd.js");
  const asked = PulumiCommand.get();
  const [pulumiCommand, api] = await Promise.all([asked, import("@pulumi/pulumi/automation/index.js")]);
  const workspace = await api.LocalWorkspace.create({ workDir: paths.project, envVars: { ...env }, pulumiCommand });
  return { api, workspace };
}
