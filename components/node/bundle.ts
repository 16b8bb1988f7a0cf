import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { filesBelow, packageFolder, programFolder } from "./programFiles";
import { ARCHITECTURES, releaseFiles } from "./releases";

/** The table of releases as the node program reads it: `NAME ARCH SHA256 PATH` lines. */
export function releasesTable(): string {
  return ARCHITECTURES.flatMap((arch) =>
    releaseFiles(arch).map(({ name, path, sha256 }) => `${name} ${arch} ${sha256} ${path}\n`),
  ).join("");
}

/**
 * Puts the node program together as it is uploaded: its own files, each network's part under `networks/<kind>`, the table of
 * releases, and SHA256SUMS over all of them. `components` is the folder of the sources.
 */
export function bundleProgram(components: string, target: string): void {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(dirname(target), { recursive: true });
  cpSync(join(components, "node", "program"), target, { recursive: true });
  const networks = join(components, "network");
  for (const kind of readdirSync(networks)) {
    const part = join(networks, kind, "node");
    if (existsSync(part)) {
      cpSync(part, join(target, "networks", kind), { recursive: true });
    }
  }
  writeFileSync(join(target, "releases"), releasesTable());
  const sums = filesBelow(target).map(
    (path) =>
      `${createHash("sha256")
        .update(readFileSync(join(target, path)))
        .digest("hex")}  ${path}\n`,
  );
  writeFileSync(join(target, "SHA256SUMS"), sums.join(""));
}

if (require.main === module) {
  bundleProgram(join(packageFolder(), "components"), programFolder());
}
