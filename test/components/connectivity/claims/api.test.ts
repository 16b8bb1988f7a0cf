import { expect, test } from "vitest";
import { api } from "../../../../components/connectivity/claims/api";
import { answering, countsOf, NO_PROMISE, problemsOf, silent, SILENCE, world } from "../world";

test("asks the API's own ClusterIP from a pod and the network of every node", () => {
  expect(
    world({ nodes: ["cp", "w1"] })
      .facts.requestsOf("api")
      .map(({ source, ask }) => [source, ask]),
  ).toEqual(
    ["cp/probe-b", "cp", "w1/probe-b", "w1"].map((source) => [
      source,
      { kind: "connect", protocol: "TCP", address: "10.96.0.1", port: 443 },
    ]),
  );
});

test("passes where it takes connections, and fails where only it does not", () => {
  expect(countsOf("api")).toEqual({ passed: 6 });
  expect(
    problemsOf(
      "api",
      answering(({ claim, source }) => claim === "api" && source === "w1/probe-b", silent),
    ),
  ).toEqual(["w1/probe-b -> default/kubernetes TCP failed: the ClusterIP takes connections | no answer within 1.5 s"]);
});

test("is blocked where no ClusterIP answers, and always applies", () => {
  expect(api).not.toHaveProperty("exemption");
  const noProxy = answering(({ claim, node }) => (claim === "api" || claim === "service") && node === "w2", silent);
  expect(problemsOf("api", noProxy)).toEqual([
    "w2/probe-b -> default/kubernetes TCP blocked: the ClusterIP takes connections | service from w2/probe-b to probe failed",
    "w2 -> default/kubernetes TCP blocked: the ClusterIP takes connections | service from w2 to probe failed",
  ]);
  expect(countsOf("api", { ...SILENCE, notApplicable: NO_PROMISE })).toEqual({ blocked: 6 });
});
