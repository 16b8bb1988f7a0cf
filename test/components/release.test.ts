import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type * as programFiles from "../../components/node/programFiles";
import type { Cluster } from "../../components/index";
import { kindNamed, NETWORKS } from "../../components/network/registry";
import { cluster, type Made, settle, useMocks } from "./mocks";
import { bundled } from "./node/program/machine";

const release = vi.hoisted(() => ({ folder: "" }));

vi.mock("../../components/node/programFiles", async (original) => {
  const real = await original<typeof programFiles>();
  return {
    ...real,
    programFolder: () => release.folder,
    phaseHash: (phase: string, network?: string) => real.phaseHash(phase, network, release.folder),
  };
});

/** A release of podnet in which one line of one file is another. */
const releaseWith = (file: string): string =>
  bundled((components) => appendFileSync(join(components, file), "# another line\n"));

let made: Made[] = [];
beforeAll(() => useMocks((one) => made.push(one)));
beforeEach(() => {
  made = [];
});
afterAll(() => vi.restoreAllMocks());

async function plan(kind: string, folder: string): Promise<Map<string, string>> {
  release.folder = folder;
  made = [];
  const demo: Cluster = cluster(2);
  kindNamed(kind).make("network", { cluster: demo });
  await settle(() => made.length);
  return new Map(made.map(({ type, name, inputs }) => [`${type} ${name}`, JSON.stringify(inputs)]));
}

/** Resources but the upload that change by a release in which this file is another. */
async function changes(kind: string, file: string): Promise<string[]> {
  const before = await plan(kind, bundled());
  const after = await plan(kind, releaseWith(file));
  expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
  expect(before.size).toBeGreaterThan(20);
  return [...after]
    .filter(([key, inputs]) => before.get(key) !== inputs && !key.startsWith("command:remote:CopyToRemote "))
    .map(([key]) => key.replace(/^.* /, ""))
    .sort();
}

describe("a release that changes one line", () => {
  test.each(NETWORKS)("of Cilium's files on a node: %s", async (kind) => {
    const expected = kind === "cilium" ? ["network-on-cp", "network-on-w1", "network-on-w2"] : [];
    expect(await changes(kind, "network/cilium/node/node.sh")).toEqual(expected);
  });

  test.each(NETWORKS)("of what Cilium keeps in the API server: %s", async (kind) => {
    expect(await changes(kind, "network/cilium/node/cluster.sh")).toEqual(kind === "cilium" ? ["network-change"] : []);
  });

  test.each([
    [
      "the kubelet's unit",
      "node/program/files/kubelet.service",
      ["demo-cp-install", "demo-w1-install", "demo-w2-install"],
    ],
    ["the routes' keeper", "node/program/routes", ["network-on-cp", "network-on-w1", "network-on-w2"]],
    ["the way a cluster is joined", "node/program/phases/join.sh", ["demo-register", "demo-w1-join", "demo-w2-join"]],
    ["the status", "node/program/phases/status.sh", []],
    ["the start", "node/program/start", []],
  ] as const)("of %s applies what is made of it, and nothing else", async (_, file, expected) => {
    expect(await changes("bridge", file)).toEqual(expected);
  });
});
