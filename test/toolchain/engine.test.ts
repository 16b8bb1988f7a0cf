import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { labIdentity } from "../../components/lab/identity";
import { engineOf, findEngine, isElsewhere } from "../../toolchain/host/engine";
import { ownHost, runningEngine, startEngine, stopEngine } from "../../toolchain/host/ownEngine";
import { type ClonePaths, clonePaths } from "../../toolchain/host/paths";
import { recordOf } from "../../toolchain/host/process";
import { ENGINE_DOWN, type FakeDocker, fakeDocker } from "../components/lab/fakeDocker";

let fake: FakeDocker;
let paths: ClonePaths;
const identity = labIdentity("/home/somebody/podnet");
beforeEach(() => {
  fake = fakeDocker();
  const project = mkdtempSync(join(tmpdir(), "podnet-engine-"));
  paths = { ...clonePaths(project), run: join(project, "run") };
  mkdirSync(paths.dotPodnet);
});
afterEach(() => {
  fake.restore();
  rmSync(paths.project, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

const made = (dockerHost: string): void =>
  writeFileSync(paths.writtenConfig, JSON.stringify({ settings: { dockerHost } }));
const started = (startTime: string | undefined): void => {
  const now = recordOf(process.pid);
  writeFileSync(paths.engine, JSON.stringify({ process: { ...now, ...(startTime !== undefined && { startTime }) } }));
};

test("a clone without a lab takes the engine that DOCKER_HOST names", async () => {
  vi.stubEnv("DOCKER_HOST", "unix:///run/user/1000/docker.sock");
  expect(await findEngine(identity, paths)).toBe("unix:///run/user/1000/docker.sock");
});

test("a clone takes no other clone's own engine, which goes with that clone's lab", async () => {
  vi.stubEnv("DOCKER_HOST", ownHost(labIdentity("/home/somebody/other"), clonePaths("/home/somebody/other")));
  const found = await engineOf(identity, paths);
  expect(found?.host ?? "").not.toContain("/run/podnet-");
});

test("a clone keeps to the engine that its lab is in, whatever DOCKER_HOST is by now", async () => {
  made("unix:///run/user/1000/docker.sock");
  vi.stubEnv("DOCKER_HOST", "tcp://10.0.0.1:2375");
  expect(await findEngine(identity, paths)).toBe("unix:///run/user/1000/docker.sock");
  fake.does(ENGINE_DOWN);
  await expect(findEngine(identity, paths)).rejects.toThrow(
    "the container engine unix:///run/user/1000/docker.sock, in which this clone's lab is, does not answer; start it, then try again.",
  );
});

test.each(["ssh://me@build", "tcp://10.0.0.1:2375", "tcp://docker:2376"])(
  "a clone takes no engine on another machine, such as %s, and does not ask it",
  async (host) => {
    vi.stubEnv("DOCKER_HOST", host);
    await expect(findEngine(identity, paths)).rejects.toThrow(
      `the container engine ${host}, which DOCKER_HOST names, is on another machine, and a lab's nodes are reached over a bridge`,
    );
    writeFileSync(paths.config, `config:\n  podnet:dockerHost: ${host}\n`);
    vi.stubEnv("DOCKER_HOST", undefined);
    await expect(findEngine(identity, paths)).rejects.toThrow(
      `which podnet:dockerHost in ${paths.config} names, is on`,
    );
    expect(fake.calls()).toEqual([]);
  },
);

test.each(["tcp://127.0.0.1:2375", "tcp://localhost:2375", "tcp://:2375", "tcp://[::1]:2375", "unix:///run/a@b.sock"])(
  "%s is an engine of this machine",
  (host) => expect(isElsewhere(host)).toBe(false),
);

test("a clone takes the engine that its stack's config names, and says so where that does not answer", async () => {
  started(undefined);
  made(ownHost(identity, paths));
  writeFileSync(paths.config, "config:\n  podnet:dockerHost: unix:///var/run/docker.sock\n");
  expect(await engineOf(identity, paths)).toEqual({ host: "unix:///var/run/docker.sock", answers: true, own: false });
  fake.does(ENGINE_DOWN);
  await expect(findEngine(identity, paths)).rejects.toThrow(
    `the container engine unix:///var/run/docker.sock, which podnet:dockerHost in ${paths.config} names, does not answer; start it`,
  );
});

test("a clone whose config names its own engine has that one started, not the machine's taken", async () => {
  writeFileSync(paths.config, `config:\n  podnet:dockerHost: ${ownHost(identity, paths)}\n`);
  expect(await engineOf(identity, paths)).toEqual({ host: ownHost(identity, paths), answers: false, own: true });
});

test("a clone's own engine is podnet's to start where it does not run", async () => {
  started(undefined);
  expect(await engineOf(identity, paths)).toEqual({ host: ownHost(identity, paths), answers: true, own: true });
  started("1");
  expect(await engineOf(identity, paths)).toEqual({ host: ownHost(identity, paths), answers: false, own: true });
  expect(await findEngine(identity, paths)).toBeUndefined();
});

describe("a clone's own engine", () => {
  const pids: number[] = [];
  const starts = (): number => readFileSync(join(fake.folder, "starts"), "utf8").split("\n").length - 1;
  const pid = (): number => Number(readFileSync(join(paths.run, identity.name, "docker.pid"), "utf8"));
  const host = (): string => ownHost(identity, paths);

  /** A dockerd that keeps its number in its file, and ends where that names a process that runs. It answers with `up` there. */
  beforeEach(() => {
    const program = join(fake.folder, "bin", "dockerd");
    writeFileSync(
      program,
      `#!/bin/sh
while [ "$1" != --pidfile ]; do shift; done
echo start >>'${fake.folder}/starts'
if [ -e "$2" ] && kill -0 "$(cat "$2")" 2>/dev/null || [ -e '${fake.folder}/broken' ]; then exit 1; fi
echo $$ >"$2"
[ -e '${fake.folder}/frozen' ] || touch '${fake.folder}/up'
trap 'rm -f "$pidfile" '${fake.folder}/up'; exit 0' TERM
while :; do sleep 0.05; done
`,
    );
    chmodSync(program, 0o755);
    writeFileSync(join(fake.folder, "starts"), "");
    fake.does('"version "*) test -e up ;;');
  });
  afterEach(() => {
    for (const each of pids.splice(0)) {
      try {
        process.kill(each, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
  });
  const start = async (seconds?: number): Promise<number> => {
    expect(await startEngine(identity, paths, seconds)).toBe(host());
    pids.push(pid());
    return pid();
  };

  test("is known when its record went with the clone's folder, and is on record again", async () => {
    const first = await start();
    rmSync(paths.dotPodnet, { recursive: true });
    expect(await engineOf(identity, paths)).toEqual({ host: host(), answers: true, own: true });
    expect(existsSync(paths.engine)).toBe(true);
    expect(runningEngine(identity, paths)?.pid).toBe(first);
    rmSync(paths.engine);
    await stopEngine(identity, paths);
    expect(recordOf(first)).toBeUndefined();
    expect(existsSync(join(paths.run, identity.name))).toBe(false);
  });

  test("that is just starting is waited for, and no second one is started", async () => {
    writeFileSync(join(fake.folder, "frozen"), "");
    const slow = startEngine(identity, paths, 10);
    await expect.poll(() => existsSync(join(paths.run, identity.name, "docker.pid"))).toBe(true);
    rmSync(paths.engine);
    const second = start(10);
    setTimeout(() => writeFileSync(join(fake.folder, "up"), ""), 300);
    await Promise.all([slow, second]);
    expect(starts()).toBe(1);
  });

  test("that stays silent is stopped, and one that answers is started", async () => {
    const silent = await start();
    rmSync(join(fake.folder, "up"));
    expect(await engineOf(identity, paths)).toEqual({ host: host(), answers: false, own: true });
    const next = await start(1);
    expect(next).not.toBe(silent);
    expect(recordOf(silent)).toBeUndefined();
    expect(runningEngine(identity, paths)?.pid).toBe(next);
  });

  test("that cannot be started leaves no record, unless there was one", async () => {
    writeFileSync(join(fake.folder, "broken"), "");
    await expect(startEngine(identity, paths, 5)).rejects.toThrow(`dockerd ended with code 1; see ${paths.engineLog}`);
    expect(existsSync(paths.engine)).toBe(false);
    started("1");
    await expect(startEngine(identity, paths, 5)).rejects.toThrow("dockerd ended with code 1");
    expect(existsSync(paths.engine)).toBe(true);
  });

  test("of a clone that was in this folder before is left alone, and no second one is started in its place", async () => {
    const theirs = await start();
    const here = { ...paths, engine: join(paths.project, "engine.json"), engineData: join(paths.project, "data") };
    expect(runningEngine(identity, here)).toBeUndefined();
    await expect(startEngine(identity, here, 5)).rejects.toThrow(
      `a container engine of another clone (dockerd, process ${String(theirs)}) has ${host()}: that clone was in this folder before.`,
    );
    expect(recordOf(theirs)).toBeDefined();
    expect(starts()).toBe(1);
  });

  test("is no other process that has its number by now", async () => {
    const other = spawn("sleep", ["60"], { stdio: "ignore" });
    pids.push(other.pid ?? 0);
    mkdirSync(join(paths.run, identity.name), { recursive: true });
    writeFileSync(join(paths.run, identity.name, "docker.pid"), String(other.pid));
    expect(runningEngine(identity, paths)).toBeUndefined();
    expect(await start()).not.toBe(other.pid);
    expect(recordOf(other.pid ?? 0)).toBeDefined();
  });
});
