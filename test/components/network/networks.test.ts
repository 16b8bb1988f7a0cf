import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { kindNamed, NETWORKS } from "../../../components/network/registry";
import { imageLines } from "../../../components/node/images";

test("every folder of a network is a kind that a stack's config can choose, by its name", () => {
  const folder = join(__dirname, "..", "..", "..", "components", "network");
  const rooms = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(NETWORKS).toEqual(rooms.map(({ name }) => name).sort());
  expect(NETWORKS.map((name) => kindNamed(name).kind)).toEqual(NETWORKS);
  expect(() => kindNamed("calico")).toThrow(`no network "calico"; there are ${NETWORKS.join(", ")}`);
});

test("a node is given images out of the mirror where it has them, else out of their registry", () => {
  const images = ["quay.io/cilium/cilium:v1.18.4", "quay.io/cilium/operator-generic:v1.18.4"];
  expect(imageLines(images, { "quay.io/cilium/cilium/v1.18.4.tar": "a".repeat(64) })).toEqual([
    `quay.io/cilium/cilium:v1.18.4 ${"a".repeat(64)}`,
    "quay.io/cilium/operator-generic:v1.18.4",
  ]);
});
