import { expect, test } from "vitest";
import { service } from "../../../../components/connectivity/claims/service";
import { answering, type Change, countsOf, NO_PROMISE, ok, problemsOf, silent, SILENCE, world } from "../world";

const expected = "answers from 3 endpoints: probe-a-cp, probe-a-w1, probe-a-w2";
/** Another answer of the check's own Service to one asker over TCP. */
const probe = (source: string, answer: ReturnType<typeof ok>): Change =>
  answering(
    (request) => request.target === "probe" && request.source === source && request.ask.protocol === "TCP",
    answer,
  );

test("asks the check's own Service on every node, from a pod and from the node, by TCP and UDP", () => {
  const own = world({ nodes: ["cp", "w1"], services: [] }).facts.requestsOf("service");
  expect(own.map(({ source, ask }) => `${source} ${ask.protocol}`)).toEqual(
    ["cp/probe-b", "cp", "w1/probe-b", "w1"].flatMap((source) => [`${source} TCP`, `${source} UDP`]),
  );
  expect(own[0]).toMatchObject({
    target: "probe",
    answers: 2,
    ask: { kind: "hostnames", protocol: "TCP", address: "10.96.1.1", port: 80, tries: 21 },
  });
});

test("passes where every endpoint answers", () => {
  expect(countsOf("service")).toEqual({ passed: 20 });
});

test("fails where an endpoint is missing, with the error of the request", () => {
  const change = probe("w1", { ok: true, values: ["probe-a-w1", "probe-a-cp"], errors: ["connection refused"] });
  expect(problemsOf("service", change)).toEqual([
    `w1 -> probe TCP failed: ${expected} | answers from probe-a-cp, probe-a-w1 (connection refused)`,
  ]);
});

test("fails where somebody else answers, whatever is broken besides", () => {
  const foreign = probe("w1/probe-b", ok("probe-a-w1", "stranger"));
  const change: Change = {
    answer: (request, good) =>
      request.claim === "pod-to-pod" && request.node === "w1" ? silent : (foreign.answer?.(request, good) ?? good),
  };
  expect(problemsOf("service", change)[0]).toBe(
    `w1/probe-b -> probe TCP failed: ${expected} | answers from probe-a-w1, stranger`,
  );
});

test("is blocked where a broken pair explains the missing endpoint", () => {
  const missing = probe("w1/probe-b", ok("probe-a-w1", "probe-a-w2"));
  const change: Change = {
    answer: (request, good) =>
      request.claim === "pod-to-pod" && request.source === "w1/probe-b" && request.target === "cp/probe-a"
        ? silent
        : (missing.answer?.(request, good) ?? good),
  };
  expect(problemsOf("service", change)).toEqual([
    `w1/probe-b -> probe TCP blocked: ${expected} | pod-to-pod from w1/probe-b to cp/probe-a over TCP failed`,
  ]);
});

test("of the program is blocked where its endpoints are wrong", () => {
  const change: Change = {
    ...answering(({ target, source }) => target === "default/web" && source === "w1", silent),
    found: [{ name: "default/web", selector: { app: "wbe" }, pods: ["web-1"], endpoints: [] }],
  };
  expect(problemsOf("service", change)).toEqual([
    "w1 -> default/web TCP blocked: the ClusterIP takes connections | endpoints of default/web failed",
  ]);
});

test("of the program fails where nothing explains that it does not answer", () => {
  const change = answering(({ target, source }) => target === "default/web" && source === "w1", silent);
  expect(problemsOf("service", change)).toEqual([
    "w1 -> default/web TCP failed: the ClusterIP takes connections | no answer within 1.5 s",
  ]);
});

test("is promised by every network, so that it always applies", () => {
  expect(service).not.toHaveProperty("exemption");
  expect(countsOf("service", { ...SILENCE, notApplicable: NO_PROMISE })).toEqual({ blocked: 20 });
});
