import * as pulumi from "@pulumi/pulumi";
import { beforeAll, expect, test, vi } from "vitest";
import { type Made, settle, useMocks } from "../components/mocks";

/** How Pulumi marks a secret that goes over the wire: the key of a map that holds it. */
const SECRET = "4dabf18193072939515e22adb298388d";

const made: Made[] = [];
beforeAll(() => useMocks((one) => made.push(one)));

/** Names of resources that hold a text where nothing hides it. */
function plain(text: string): string[] {
  const holds = (value: unknown): boolean =>
    typeof value === "object" && value !== null
      ? !(SECRET in value) && Object.values(value).some(holds)
      : String(value).includes(text);
  return made.filter(({ inputs }) => holds(inputs)).map(({ name }) => name);
}

test("what the stack's config has as a secret stays one, and what cannot is told", async () => {
  const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue(undefined);
  pulumi.runtime.setAllConfig(
    {
      "podnet:mirror": "https://ci:hunter2@mirror.example.com",
      "podnet:serviceImage": "registry.example.com/hunter3:1",
      "podnet:serviceArgs": '["--token=hunter4"]',
      "podnet:serviceName": "hunter5",
      "podnet:clusterName": "shown",
    },
    ["podnet:mirror", "podnet:serviceImage", "podnet:serviceArgs", "podnet:serviceName"],
  );
  await import("../../src/main.js");
  await settle(() => made.length);
  expect(made.length).toBeGreaterThan(30);
  expect(["hunter2", "hunter3", "hunter4"].map(plain)).toEqual([[], [], []]);
  expect(plain("hunter5")).not.toEqual([]);
  expect(warn.mock.calls.map(([text]) => text)).toEqual([
    "podnet:serviceName is a secret in the config, and its value is shown all the same; set it without --secret",
  ]);
  warn.mockRestore();
});
