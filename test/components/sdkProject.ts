import { cpSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const project = join(__dirname, "..", "..");

/** The ends of what package.json allows of the SDK, each by the folder of node_modules that it is in. */
export const SDKS = [
  ["oldest", "@pulumi/pulumi"],
  ["newest", "pulumi-newest"],
] as const;

/** A folder with the compiled program whose SDK is the one in `sdk`; all other packages are podnet's own. */
export function projectWith(sdk: string): string {
  const folder = mkdtempSync(join(tmpdir(), "podnet-sdk-"));
  for (const part of ["dist", "package.json", "Pulumi.yaml"]) {
    cpSync(join(project, part), join(folder, part), { recursive: true });
  }
  const packages = join(folder, "node_modules");
  mkdirSync(join(packages, "@pulumi"), { recursive: true });
  const link = (name: string, target = name) =>
    symlinkSync(join(project, "node_modules", target), join(packages, name));
  readdirSync(join(project, "node_modules"))
    .filter((name) => name !== "@pulumi")
    .forEach((name) => link(name));
  ["@pulumi/command", "@pulumi/kubernetes"].forEach((name) => link(name));
  link("@pulumi/pulumi", sdk);
  return folder;
}
