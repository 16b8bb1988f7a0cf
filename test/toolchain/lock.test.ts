import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { lockHolder, withLock } from "../../toolchain/host/lock";

const project = join(__dirname, "..", "..");
const folder = mkdtempSync(join(tmpdir(), "podnet-lock-"));
const path = join(folder, "lock");

/** On "take <path>", tries to take a lock and says "have it" or who has it; on "drop", lets it go; on "child", starts one. */
const WORKER = `
const { withLock } = require(process.argv[1]);
let drop;
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const [word, path] = line.split(" ");
  if (word === "child") {
    console.log(require("child_process").spawn("sleep", ["60"], { stdio: "ignore" }).pid);
  } else if (word === "drop") {
    drop();
  } else {
    const refuse = (pid) => { throw new Error("held by " + pid); };
    const hold = () => new Promise((done) => { drop = done; console.log("have it"); });
    withLock(path, refuse, hold).then(() => console.log("dropped"), (error) => console.log(error.message));
  }
});`;

interface Worker {
  readonly process: ChildProcess;
  ask(line: string): Promise<string>;
}
const started: number[] = [];

function worker(): Worker {
  const child = spawn(process.execPath, ["-e", WORKER, join(folder, "built/toolchain/host/lock.js")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  started.push(child.pid ?? 0);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    process: child,
    ask: async (line) => {
      child.stdin.write(`${line}\n`);
      return String((await lines.next()).value);
    },
  };
}

/** Ends a worker at once, and waits until it is gone. */
async function killed(one: Worker | undefined): Promise<void> {
  const gone = new Promise((done) => one?.process.once("exit", done));
  one?.process.kill("SIGKILL");
  await gone;
}

beforeAll(() => {
  const options = ["--outDir", join(folder, "built"), "--rootDir", project, "--noCheck", "--ignoreConfig"];
  const language = ["--module", "commonjs", "--target", "es2022", "--esModuleInterop", "--types", "node"];
  execFileSync(join(project, "node_modules/.bin/tsc"), [...options, ...language, "toolchain/host/lock.ts"], {
    cwd: project,
  });
}, 60_000);
afterEach(() => {
  for (const pid of started.splice(0)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("of many processes at once one has the lock, whom all others hear of, whether it is free or its holder has ended", async () => {
  const workers = Array.from({ length: 6 }, worker);
  for (let round = 0; round < 20; round++) {
    if (round % 2 === 1) {
      writeFileSync(path, JSON.stringify({ pid: process.pid, startTime: "1", bootId: "another" }));
    }
    const said = await Promise.all(workers.map((each) => each.ask(`take ${path}`)));
    const holder = workers[said.indexOf("have it")];
    expect(said.sort()).toEqual(["have it", ...workers.slice(1).map(() => `held by ${String(holder?.process.pid)}`)]);
    expect(lockHolder(path)?.pid).toBe(holder?.process.pid);
    expect(await holder?.ask("drop")).toBe("dropped");
    expect(readdirSync(folder).sort()).toEqual(["built"]);
  }
}, 60_000);

test("a lock is free as soon as its holder is killed, though a child of the holder lives on", async () => {
  const [first, second] = [worker(), worker()];
  expect(await first.ask(`take ${path}`)).toBe("have it");
  started.push(Number(await first.ask("child")));
  expect(await second.ask(`take ${path}`)).toBe(`held by ${String(first.process.pid)}`);
  await killed(first);
  expect(existsSync(path)).toBe(true);
  expect(lockHolder(path)).toBeUndefined();
  expect(await second.ask(`take ${path}`)).toBe("have it");
  expect(lockHolder(path)?.pid).toBe(second.process.pid);
}, 60_000);

test("a lock is one, by whichever link its folder is named, and no other path's", async () => {
  const link = join(folder, "link");
  symlinkSync(folder, link);
  const [first, second] = [worker(), worker()];
  expect(await first.ask(`take ${path}`)).toBe("have it");
  expect(await second.ask(`take ${join(link, "lock")}`)).toBe(`held by ${String(first.process.pid)}`);
  expect(await second.ask(`take ${path}2`)).toBe("have it");
  rmSync(link);
}, 60_000);

test("a lock that cannot be written down is not held", async () => {
  const blocked = join(folder, "blocked");
  const unreachable = (): never => expect.unreachable("nobody holds it");
  const at = join(blocked, "lock");
  await withLock(at, unreachable, () => Promise.resolve());
  execFileSync("mkdir", [`${at}.new`]);
  for (let tries = 0; tries < 2; tries++) {
    await expect(withLock(at, unreachable, () => Promise.resolve())).rejects.toThrow("EISDIR");
  }
  rmSync(`${at}.new`, { recursive: true });
  await withLock(at, unreachable, () =>
    Promise.resolve(expect(readFileSync(at, "utf8")).toContain(process.pid.toString())),
  );
});
