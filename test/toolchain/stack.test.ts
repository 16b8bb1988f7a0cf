import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { clonePaths } from "../../toolchain/host/paths";
import { pathWith, stackEnv } from "../../toolchain/make/env";
import { assertStale, lockHolders } from "../../toolchain/make/lock";
import { Stack } from "../../toolchain/make/stack";

const folder = mkdtempSync(join(tmpdir(), "podnet-stack-"));
const path = process.env["PATH"] ?? "";
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const lockedBy = (pid: number, host: string): string =>
  `error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock file
  file:///x/.pulumi/locks/organization/podnet/lab/2.json?no_tmp_dir=true: created by root@${host} (pid ${String(pid)}) at 2026-11-25T19:00:55Z`;

describe("a lock", () => {
  const message = lockedBy(24849, hostname());

  test("names its holder", () => {
    expect(lockHolders(message)).toEqual([{ host: hostname(), pid: 24849 }]);
  });

  test("is stale only when its holder was here and has ended", () => {
    expect(() => assertStale(message, () => false)).not.toThrow();
    expect(() => assertStale(message, () => true)).toThrow("pulumi (process 24849) is at work on this stack");
    expect(() => assertStale(lockedBy(1, "elsewhere"), () => false)).toThrow("locked by process 1 of elsewhere");
    expect(() => assertStale("error: the stack is currently locked by 1 lock(s).", () => false)).toThrow("by whom");
    // This very process runs, but is no Pulumi: the number was given to another program.
    expect(() => assertStale(lockedBy(process.pid, hostname()))).not.toThrow();
  });
});

describe("the environment", () => {
  test("names each folder once, however often it is made", () => {
    const once = pathWith(["/tools/a", "/tools/b"], "/usr/bin:/bin");
    expect(once).toBe("/tools/a:/tools/b:/usr/bin:/bin");
    expect(pathWith(["/tools/a", "/tools/b"], once)).toBe(once);
    expect(stackEnv(clonePaths("/clone"), ["/tools"], undefined)).toMatchObject({
      PULUMI_BACKEND_URL: "file:///clone/.podnet/state?metadata=skip",
      KUBECONFIG: "/clone/.podnet/kubeconfig",
    });
  });
});

describe("a stack", () => {
  let project = "";
  const bin = join(folder, "bin");
  const calls = (): string[] =>
    readFileSync(join(folder, "calls"), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.replace(/ --(non-interactive|color never|exec-kind auto.local|event-log \S+)/g, ""));

  /** A CLI that notes its calls; `cases` is what it does for some of them, in shell. */
  function fakePulumi(cases: string): void {
    mkdirSync(bin, { recursive: true });
    writeFileSync(
      join(bin, "pulumi"),
      `#!/bin/sh\necho "$*" >>'${folder}/calls'\ncase "$*" in\nversion) echo v3.259.0 ;;\n${cases}\n*) echo '{}' ;;\nesac\n`,
    );
    chmodSync(join(bin, "pulumi"), 0o755);
  }

  beforeEach(() => {
    project = mkdtempSync(join(folder, "project-"));
    rmSync(join(folder, "calls"), { force: true });
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    process.env["PATH"] = path;
  });

  const open = (): Promise<Stack> => {
    const paths = clonePaths(project);
    mkdirSync(paths.dotPodnet, { recursive: true });
    return Stack.ensure(paths, stackEnv(paths, [bin], undefined));
  };

  test("that is as declared takes one call of the CLI beside its version", async () => {
    fakePulumi("");
    const stack = await open();
    await stack.configure({ labName: "x" });
    expect(calls()).toEqual([
      "version",
      "stack select --stack lab",
      "config --show-secrets --json --stack lab",
      "config set-all --stack lab --plaintext podnet:labName=x",
    ]);
    rmSync(join(folder, "calls"));
    const again = await open();
    await again.configure({ labName: "x" });
    expect(await again.up()).toEqual({ succeeded: true, changed: false, proven: false });
    expect(calls()).toEqual(["version", "up --yes --skip-preview --stack lab"]);
  });

  test("that is not there is made, and not looked for where there is no backend", async () => {
    fakePulumi(`
"stack select"*) echo "error: no stack named 'lab' found" >&2; exit 255 ;;`);
    const paths = clonePaths(project);
    expect(await Stack.find(paths, stackEnv(paths, [bin], undefined))).toBeUndefined();
    expect(existsSync(join(folder, "calls"))).toBe(false);
    await (await open()).configure({});
    expect(calls().slice(0, 3)).toEqual(["version", "stack select --stack lab", "stack init lab"]);
    expect(await Stack.find(paths, stackEnv(paths, [bin], undefined))).toBeUndefined();
  });

  test("that an ended process left locked is freed, and one that is in use is left alone", async () => {
    const once = `[ -e '${folder}/freed' ] || { cat '${folder}/locked' >&2; exit 255; }`;
    fakePulumi(`
up*) ${once} ;;
cancel*) touch '${folder}/freed' ;;`);
    writeFileSync(join(folder, "locked"), lockedBy(2 ** 22 + 1, hostname()));
    expect(await (await open()).up()).toEqual({ succeeded: true, changed: false, proven: false });
    expect(calls().map((line) => line.split(" ")[0])).toEqual(["version", "up", "cancel", "up"]);
    rmSync(join(folder, "freed"));
    writeFileSync(join(folder, "locked"), lockedBy(1, "elsewhere"));
    await expect((await open()).up()).rejects.toThrow("locked by process 1 of elsewhere");
    expect(existsSync(join(folder, "freed"))).toBe(false);
  });

  test("whose update fails before any event says what the CLI said", async () => {
    fakePulumi(`
up*) echo "warning: old" >&2; echo "error: incorrect passphrase" >&2; exit 255 ;;`);
    const written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    expect(await (await open()).up()).toEqual({ succeeded: false, changed: false, proven: false });
    const text = written.mock.calls.map(([chunk]) => String(chunk)).join("");
    expect(text).toContain("error: incorrect passphrase");
    expect(text).not.toContain("err?:");
  });

  test("gives a setting that is plain text, and no other", async () => {
    fakePulumi("");
    writeFileSync(
      join(project, "Pulumi.lab.yaml"),
      'config:\n  podnet:network: "cilium"\n  podnet:sshPrivateKey:\n    secure: v1:abc\n',
    );
    const stack = await open();
    expect(await stack.setting("network")).toBe("cilium");
    expect(await stack.setting("sshPrivateKey")).toBeUndefined();
    expect(await stack.setting("mtu")).toBeUndefined();
  });
});
