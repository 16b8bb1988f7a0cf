import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { labIdentity } from "../../components/lab/identity";
import { engineOf, findEngine, ownHost } from "../../toolchain/host/engine";
import { type ClonePaths, clonePaths } from "../../toolchain/host/paths";
import { recordOf } from "../../toolchain/host/process";
import { ENGINE_DOWN, type FakeDocker, fakeDocker } from "../components/lab/fakeDocker";

let fake: FakeDocker;
let paths: ClonePaths;
const identity = labIdentity("/home/somebody/podnet");
beforeEach(() => {
  fake = fakeDocker();
  paths = clonePaths(mkdtempSync(join(tmpdir(), "podnet-engine-")));
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
  vi.stubEnv("DOCKER_HOST", ownHost(labIdentity("/home/somebody/other")));
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

test("a clone's own engine is podnet's to start where it does not run", async () => {
  started(undefined);
  expect(await engineOf(identity, paths)).toEqual({ host: ownHost(identity), answers: true, own: true });
  started("1");
  expect(await engineOf(identity, paths)).toEqual({ host: ownHost(identity), answers: false, own: true });
  expect(await findEngine(identity, paths)).toBeUndefined();
});
