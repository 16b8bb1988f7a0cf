import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { withLock } from "../../toolchain/host/lock";
import { cacheDir } from "../../toolchain/host/paths";
import { Progress } from "../../toolchain/host/progress";
import { ensureToolchain } from "../../toolchain/supply/toolchain";

const PROJECT = join(__dirname, "..", "..");
const folder = mkdtempSync(join(tmpdir(), "podnet-supply-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A folder that holds what another one holds, and can take more. */
function beside(path: string, name: string): string {
  const made = join(folder, name);
  mkdirSync(made);
  for (const entry of readdirSync(path).filter(
    (candidate) => candidate !== "toolchain.lock" && candidate !== ".podnet",
  )) {
    symlinkSync(join(path, entry), join(made, entry));
  }
  return made;
}

test("a clone that has the whole toolchain does not wait while another one makes something", async () => {
  const cache = beside(cacheDir(), "cache");
  const project = beside(PROJECT, "project");
  await withLock(
    join(cache, "toolchain.lock"),
    () => expect.unreachable("nobody else knows this cache"),
    async () => {
      const { binDirs, mirrorDir, checksums } = await ensureToolchain({ project, cache, progress: new Progress() });
      expect(binDirs).toHaveLength(1);
      expect(mirrorDir.startsWith(join(cache, "mirror"))).toBe(true);
      expect(Object.keys(checksums)).not.toEqual([]);
    },
  );
}, 20_000);
