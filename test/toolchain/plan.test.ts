import { expect, test } from "vitest";
import { type Found, neededSources, parseJob, planToolchain, type Way } from "../../toolchain/supply/plan";
import { SOURCES } from "../../toolchain/supply/pins";

const releases = (way: Way): NonNullable<Found["releases"]> => ({
  kubelet: way,
  kubeadm: way,
  kubectl: way,
  containerd: way,
  runc: way,
  "cni-plugins": way,
  crictl: way,
});
const nothing: Found = {
  cli: "own",
  plugins: { command: "own", kubernetes: "own" },
  releases: releases("own"),
  images: true,
  built: new Set(),
};
const everything: Found = {
  cli: "have",
  plugins: { command: "have", kubernetes: "have" },
  releases: undefined,
  images: false,
  built: new Set(),
};
const names = (found: Found): string[] => planToolchain(found, SOURCES).map(({ name }) => name);

test("where everything is there, there is nothing to do", () => {
  expect(names(everything)).toEqual([]);
});

test("behind a wall every source is built once, and every job needs only jobs of the plan", () => {
  const jobs = planToolchain(nothing, SOURCES);
  const builds = jobs.filter(({ lane }) => lane === "compile").map(({ name }) => parseJob(name).of);
  expect(builds).toEqual(SOURCES.map(({ name }) => name));
  const planned = new Set(jobs.map(({ name }) => name));
  expect(jobs.flatMap(({ needs }) => needs.filter((need) => !planned.has(need)))).toEqual([]);
  // What the nodes' images are made of is compiled first, so that they are ready while Pulumi is compiled.
  expect(builds.slice(0, 4)).toEqual(["runc", "kubernetes", "etcd", "coredns"]);
  expect(jobs.find(({ name }) => name === "mirror")?.needs).toEqual([
    ...["release:kubelet", "release:kubeadm", "release:kubectl", "release:containerd", "release:runc"],
    ...["release:cni-plugins", "release:crictl", "pause", "images"],
  ]);
});

test("where official releases can be reached, nothing is compiled", () => {
  const found: Found = {
    cli: "official",
    plugins: { command: "official", kubernetes: "official" },
    releases: releases("official"),
    images: false,
    built: new Set(),
  };
  expect(names(found)).toEqual([
    ...["cli", "plugin:command", "plugin:kubernetes", "release:kubelet", "release:kubeadm", "release:kubectl"],
    ...["release:containerd", "release:runc", "release:cni-plugins", "release:crictl", "mirror"],
  ]);
  expect(new Set(planToolchain(found, SOURCES).map(({ lane }) => lane))).toEqual(new Set(["network", "work"]));
});

test("one release that cannot be downloaded is built alone, and what the cache has is not built again", () => {
  const one: Found = { ...everything, releases: { ...releases("have"), runc: "own" } };
  expect(names(one)).toEqual(["fetch:runc", "build:runc", "release:runc", "mirror"]);
  expect(names({ ...one, built: new Set(["runc"]) })).toEqual(["release:runc", "mirror"]);
  expect(neededSources({ ...nothing, built: new Set(SOURCES.map(({ name }) => name)) }, SOURCES)).toEqual([]);
});

test("the official plugins are installed when the CLI is there, and the Kubernetes one is built where it is out of reach", () => {
  const mixed: Found = { ...everything, cli: "own", plugins: { command: "official", kubernetes: "own" } };
  expect(names(mixed)).toEqual([
    ...["fetch:pulumi", "build:pulumi", "fetch:pulumi-language-nodejs", "build:pulumi-language-nodejs"],
    ...["fetch:pulumi-resource-kubernetes", "build:pulumi-resource-kubernetes", "cli", "plugin:command"],
  ]);
});
