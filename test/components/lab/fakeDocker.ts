import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A docker client that answers as it is told, on the PATH of this process. */
export interface FakeDocker {
  /** What it was called with so far, one line a call. */
  calls(): string[];
  /** What it does from now on: cases of a shell's `case "$*"`; other calls print nothing and succeed. */
  does(cases: string): void;
  /** A folder for notes of its own. */
  readonly folder: string;
  restore(): void;
}

/** What a client says when no engine listens. */
export const ENGINE_DOWN = `*) echo "Cannot connect to the Docker daemon at unix:///run/x.sock. Is the docker daemon running?" >&2; exit 1 ;;`;

/** Puts a docker client of the test's own first on the PATH. */
export function fakeDocker(): FakeDocker {
  const folder = mkdtempSync(join(tmpdir(), "podnet-docker-"));
  const bin = join(folder, "bin");
  const log = join(folder, "calls");
  const path = process.env["PATH"];
  mkdirSync(bin);
  process.env["PATH"] = `${bin}:${path ?? ""}`;
  const does = (cases: string): void => {
    rmSync(log, { force: true });
    writeFileSync(log, "");
    const program = join(bin, "docker");
    rmSync(program, { force: true });
    writeFileSync(program, `#!/bin/sh\necho "$*" >>'${log}'\ncd '${folder}'\ncase "$*" in\n${cases}\nesac\n`);
    chmodSync(program, 0o755);
  };
  does("");
  return {
    folder,
    does,
    calls: () => readFileSync(log, "utf8").split("\n").slice(0, -1),
    restore: () => {
      process.env["PATH"] = path;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A line of `docker ps` as podnet asks for it. */
export function listed(
  name: string,
  { state = "running", networks = "pn-x", lab = "podnet-x", owner = "me", address = "127.0.0.250" } = {},
): string {
  return [`id-of-${name}`, name, state, networks, lab, owner, address].join("\\t");
}
