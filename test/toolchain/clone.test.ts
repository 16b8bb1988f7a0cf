import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bridgeOf, labIdentity } from "../../components/lab/identity";
import { cloneIdentity, recordClone } from "../../toolchain/host/clone";
import { type ClonePaths, clonePaths } from "../../toolchain/host/paths";

let folder = "";
let a: ClonePaths;
let b: ClonePaths;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "podnet-clone-"));
  [a, b] = [clonePaths(join(folder, "a")), clonePaths(join(folder, "b"))];
  mkdirSync(a.project);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const made = (paths: ClonePaths): void => recordClone(paths, cloneIdentity(paths));

test("a clone's lab is known by its folder", () => {
  expect(cloneIdentity(a)).toEqual(labIdentity(a.project));
  made(a);
  const noted = readFileSync(a.clone, "utf8");
  made(a);
  expect(readFileSync(a.clone, "utf8")).toBe(noted);
  expect(cloneIdentity(a)).toEqual(labIdentity(a.project));
});

describe("a clone that was moved", () => {
  const { name } = labIdentity("/elsewhere");

  test("keeps the lab that it has, however often", () => {
    const { name: first, bridge } = cloneIdentity(a);
    made(a);
    renameSync(a.project, b.project);
    expect(cloneIdentity(b)).toMatchObject({ name: first, bridge });
    made(b);
    expect(JSON.parse(readFileSync(b.clone, "utf8"))).toMatchObject({ project: b.project, labName: first });
    renameSync(b.project, a.project);
    expect(cloneIdentity(a).name).toBe(first);
  });

  test("keeps the lab that an older podnet made", () => {
    mkdirSync(a.dotPodnet);
    writeFileSync(a.writtenConfig, JSON.stringify({ settings: { labName: name } }));
    expect(cloneIdentity(a)).toMatchObject({ name, bridge: bridgeOf(name) });
  });

  test("is another one than a clone that is in its old folder by now", () => {
    made(a);
    renameSync(a.project, b.project);
    made(a);
    expect(cloneIdentity(b).name).toBe(labIdentity(a.project).name);
  });

  test("with an engine of its own is refused, until its data is found by the old path again", () => {
    made(a);
    mkdirSync(a.engineData);
    renameSync(a.project, b.project);
    expect(() => cloneIdentity(b)).toThrow(
      `the clone ${a.project} was moved to ${b.project}, and the data of its own container engine has the old path in it. Nothing was touched.`,
    );
    symlinkSync(b.project, a.project);
    made(b);
    expect(cloneIdentity(b).name).toBe(labIdentity(a.project).name);
    rmSync(a.project);
    renameSync(b.project, a.project);
    expect(cloneIdentity(a)).toEqual(labIdentity(a.project));
  });
});

test("a copy is refused while its clone is there, whose lab it would replace", () => {
  made(a);
  cpSync(a.project, b.project, { recursive: true });
  expect(() => cloneIdentity(b)).toThrow(
    `${b.project} is a copy of the clone ${a.project}, and the lab that ${b.dotPodnet} speaks of is that one's. Nothing was touched. ` +
      `For a lab of its own: rm -r ${b.dotPodnet}, and take podnet:labName, podnet:labSubnet and podnet:dockerHost out of ${b.config}`,
  );
  expect(cloneIdentity(a)).toEqual(labIdentity(a.project));
  rmSync(b.dotPodnet, { recursive: true });
  expect(cloneIdentity(b)).toEqual(labIdentity(b.project));
});
