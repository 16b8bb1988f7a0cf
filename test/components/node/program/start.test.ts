import { appendFileSync, cpSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Parameters, parametersText } from "../../../../components/node/parameters";
import { bundled, edit, Machine } from "./machine";
import { TAKE } from "./node";

const program = bundled();
const hashOf = (folder: string): string =>
  createHash("sha256")
    .update(readFileSync(join(folder, "SHA256SUMS")))
    .digest("hex")
    .slice(0, 16);
const HASH = hashOf(program);
const BASE = "/usr/local/lib/podnet";

let machine: Machine;
beforeEach(async () => {
  machine = await Machine.make(program);
});
afterEach(() => machine.close());

test("the upload is moved to its hash, whole, and becomes the current one", async () => {
  expect(await machine.does("take", TAKE)).toEqual([`{"program":"${HASH}"}`]);
  expect(await machine.sh(`cd ${BASE}/current && sha256sum --quiet -c SHA256SUMS && readlink ${BASE}/current`)).toBe(
    HASH,
  );
  expect(
    await machine.sh(`stat -c '%U %a' ${BASE}/current/podnet ${BASE}/current/lib/core.sh ${BASE}/current/lib`),
  ).toBe(["root 755", "root 644", "root 755"].join("\n"));
  expect(await machine.sh(`ls -A ${BASE} | sort`)).toBe([HASH, "current"].sort().join("\n"));
});

test("half an upload is refused, and nothing of it runs or stays", async () => {
  appendFileSync(machine.path("/root/.podnet/program/phases/take.sh"), "echo broken\n");
  rmSync(machine.path("/root/.podnet/program/lib/wait.sh"));
  const { code, stdout, stderr } = await machine.run("take", TAKE);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toContain("phases/take.sh: FAILED");
  expect(stderr).toContain("lib/wait.sh: FAILED open or read");
  expect(stderr).toContain("podnet on machine: the upload in /root/.podnet/program is not whole; run the update again");
  expect(await machine.sh(`ls -A ${BASE}`)).toBe("");
  expect(machine.has("/var/lib/podnet")).toBe(false);
});

test("an upload without its checksums is refused in the same words", async () => {
  rmSync(machine.path("/root/.podnet/program/SHA256SUMS"));
  const { code, stdout, stderr } = await machine.run("take", TAKE);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toContain("podnet on machine: the upload in /root/.podnet/program is not whole; run the update again");
  expect(machine.has("/opt/podnet")).toBe(false);
});

test("files of an older upload that lie about are not taken along", async () => {
  machine.write("/root/.podnet/program/phases/old.sh", "do_old() { touch /tmp/old; }\n");
  await machine.does("take", TAKE);
  expect(machine.has(`${BASE}/${HASH}/phases/old.sh`)).toBe(false);
  const { code, stderr } = await machine.start("old", "nonce: 0123456789abcdef\nend\n");
  expect(code).toBe(2);
  expect(stderr).toContain("usage: podnet PHASE");
});

test("where /usr/local is read-only the program lives in /opt", async () => {
  await machine.sh("mount -o remount,ro /usr/local");
  await machine.does("take", TAKE);
  expect(await machine.sh("readlink /opt/podnet/current")).toBe(HASH);
  await machine.does("take --undo", TAKE);
  expect(await machine.sh("ls -A /opt")).toBe("");
});

test("another upload is switched to at once, and goes with the first", async () => {
  await machine.does("take", TAKE);
  const other = bundled((components) =>
    edit(join(components, "node/program/lib/wait.sh"), "# Waiting", "# Longer waiting"),
  );
  machine.upload(other);
  expect(await machine.does("take --update", TAKE)).toEqual([`{"program":"${hashOf(other)}"}`]);
  expect(await machine.sh(`readlink ${BASE}/current`)).toBe(hashOf(other));
  await machine.does("take --undo", TAKE);
  expect(machine.has(BASE)).toBe(false);
});

describe("another SSH user's upload", () => {
  const start = async (words: string): Promise<void> => {
    const text = parametersText("take", TAKE);
    const { code, stderr } = await machine.exec(
      ["sh", "-c", `cd /home/admin && exec bash --norc -p .podnet/program/start ${words}`],
      text,
    );
    expect([code, stderr]).toEqual([0, ""]);
  };
  beforeEach(() => {
    cpSync(program, machine.path("/home/admin/.podnet/program"), { recursive: true });
  });

  test("goes with the machine, and the one before it too", async () => {
    machine.write("/home/admin/mine", "x");
    await machine.does("take", TAKE);
    await start("take --update");
    expect(machine.read("/var/lib/podnet/uploads")).toBe("/root/.podnet/program\n/home/admin/.podnet/program\n");
    await start("take --undo");
    expect(await machine.sh("find /root /home -mindepth 1")).toBe("/home/admin\n/home/admin/mine");
    expect(machine.has("/var/lib/podnet")).toBe(false);
  });

  test("becomes the node's program once a phase of the owner's changes the node by it, and not before", async () => {
    await machine.does("take", TAKE);
    const other = bundled((components) =>
      edit(join(components, "node/program/lib/wait.sh"), "# Waiting", "# Longer waiting"),
    );
    cpSync(other, machine.path("/home/admin/.podnet/program"), { recursive: true });
    const run = async (words: string, parameters: Parameters): Promise<[number, string]> => {
      const text = parametersText(words.split(" ")[0] ?? "", parameters);
      const { code } = await machine.exec(
        ["sh", "-c", `cd /home/admin && exec bash --norc -p .podnet/program/start ${words}`],
        text,
      );
      return [code, await machine.sh(`readlink ${BASE}/current`)];
    };
    const theirs = { ...TAKE, owner: "99999999-2222-3333-4444-555555555555" };
    expect(await run("status", {})).toEqual([0, HASH]);
    expect(await run("take --update", theirs)).toEqual([1, HASH]);
    expect(await run("take --undo", theirs)).toEqual([0, HASH]);
    expect(await run("take --update", TAKE)).toEqual([0, hashOf(other)]);
    expect(await run("status", {})).toEqual([0, hashOf(other)]);
  });

  test("goes where an undo died in between", async () => {
    await start("take");
    await machine.does("take --update", TAKE);
    await machine.sh("mv /home/admin/.podnet/program /home/admin/.podnet/program.gone");
    await machine.does("take --undo", TAKE);
    expect(await machine.sh("find /root /home -mindepth 1")).toBe("/home/admin");
  });

  test("is noted on no machine that was refused, or only read", async () => {
    machine.write("/etc/containerd/config.toml", "theirs");
    expect((await machine.run("take", TAKE)).code).toBe(1);
    await machine.does("status", {});
    expect(machine.has("/var/lib/podnet")).toBe(false);
  });
});

test("what an interrupted start left is replaced, and goes with the machine", async () => {
  mkdirSync(machine.path(`${BASE}/${HASH}/lib`), { recursive: true });
  mkdirSync(machine.path(`${BASE}/.new.abcdef`), { recursive: true });
  await machine.does("take", TAKE);
  expect(await machine.sh(`cd ${BASE}/current && sha256sum --quiet -c SHA256SUMS && echo whole`)).toBe("whole");
  await machine.does("take --undo", TAKE);
  expect(machine.has(BASE)).toBe(false);
});

test("phases that start at once share one copy", async () => {
  const answers = await Promise.all(["status", "status", "status", "status"].map((phase) => machine.does(phase, {})));
  expect(answers.every(([line]) => line?.includes(`"program":"${HASH}"`))).toBe(true);
  expect(await machine.sh(`ls -A ${BASE} | sort`)).toBe([HASH, "current"].sort().join("\n"));
});

test("takes nothing from the session: neither its PATH nor its startup files, functions, options or umask", async () => {
  machine.write("/tmp/evil/hostname", "#!/bin/bash\ntouch /tmp/evil/ran\necho evil\n", 0o755);
  machine.write("/tmp/evil/rc", "touch /tmp/evil/ran\necho noise\n");
  const words = "umask 077; ulimit -c 0; exec bash --norc -p .podnet/program/start take";
  const text = parametersText("take", TAKE);
  const { code, stdout } = await machine.exec(["sh", "-c", words], text, {
    PATH: "/tmp/evil:/usr/bin:/bin",
    BASH_ENV: "/tmp/evil/rc",
    ENV: "/tmp/evil/rc",
    SHELLOPTS: "xtrace",
    POSIXLY_CORRECT: "1",
    LC_ALL: "tr_TR.UTF-8",
    IFS: "/",
    CDPATH: "/tmp",
    "BASH_FUNC_sha256sum%%": "() { touch /tmp/evil/ran; }",
    "BASH_FUNC_fail%%": "() { touch /tmp/evil/ran; }",
  });
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^\npodnet [0-9a-f]{16} \| \{"program":"[0-9a-f]{16}"\}\npodnet [0-9a-f]{16} run 1\npodnet [0-9a-f]{16} 0\n$/,
  );
  expect(machine.has("/tmp/evil/ran")).toBe(false);
  expect(await machine.sh("stat -c %a /var/lib/podnet /var/lib/podnet/owner")).toBe("755\n644");
});

test("a reader on the machine can ask for the status by hand", async () => {
  await machine.does("take", TAKE);
  const env = { PATH: "/nowhere", BASH_ENV: "/tmp/rc", "BASH_FUNC_cat%%": "() { echo evil; }" };
  const { code, stdout } = await machine.exec(
    [`${BASE}/current/podnet`, "status"],
    "nonce: 0123456789abcdef\nend\n",
    env,
  );
  expect(code).toBe(0);
  expect(stdout).toMatch(/^\npodnet 0123456789abcdef \| \{"owner":\{"id":"11111111-.*\}\npodnet 0123456789abcdef 0\n$/);
});
