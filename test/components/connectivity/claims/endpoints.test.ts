import { expect, test } from "vitest";
import { endpoints } from "../../../../components/connectivity/claims/endpoints";
import { answering, type Change, countsOf, NO_PROMISE, problemsOf, silent, SILENCE, world } from "../world";

/** A world where the Service `web` is found so. */
const web = (found: { selector?: Record<string, string>; pods?: string[]; endpoints?: string[] }): Change => ({
  found: [{ name: "default/web", selector: { app: "web" }, pods: ["web-1", "web-2"], endpoints: [], ...found }],
});

test("asks nothing of its own", () => {
  expect(world().facts.requestsOf("endpoints")).toEqual([]);
});

test("passes for each Service, each step of the relabelling and each node", () => {
  expect(countsOf("endpoints")).toEqual({ passed: 7 });
});

test("fails for a Service whose endpoints are not its ready pods", () => {
  expect(problemsOf("endpoints", web({ endpoints: ["web-1"] }))).toEqual([
    "default/web -> app=web - failed: endpoints are the ready pods with app=web: web-1, web-2 | endpoints are web-1",
  ]);
});

test("fails for a Service with another selector than the declared one, and says which", () => {
  expect(problemsOf("endpoints", web({ selector: { app: "wbe" } }))).toEqual([
    "default/web -> app=web - failed: endpoints are the ready pods with app=web: web-1, web-2 | it selects app=wbe; endpoints are none",
  ]);
});

test("fails for a Service without a ready pod", () => {
  expect(problemsOf("endpoints", web({ pods: [] }))).toEqual([
    "default/web -> app=web - failed: endpoints are the ready pods with app=web: at least one | endpoints are none",
  ]);
});

test("fails for a Service that is not there", () => {
  expect(problemsOf("endpoints", { found: [] })).toEqual([
    "default/web -> app=web - failed: endpoints are the ready pods with app=web: at least one | the Service is not there; `pulumi refresh` and another update make it again",
  ]);
});

test("fails where a pod without the label stays, and where it still answers", () => {
  const change: Change = {
    relabelling: (good) => ({ ...good, during: good.members, answered: { ...good.answered, w1: ["probe-a-cp"] } }),
  };
  expect(problemsOf("endpoints", change)).toEqual([
    "probe -> without probe-a-cp - failed: endpoints probe-a-w1, probe-a-w2 | endpoints probe-a-cp, probe-a-w1, probe-a-w2",
    "w1/probe-b -> without probe-a-cp TCP failed: answers from probe-a-w1, probe-a-w2 only | answers from probe-a-cp",
  ]);
});

test("fails where the pod does not come back", () => {
  expect(problemsOf("endpoints", { relabelling: (good) => ({ ...good, after: good.during }) })).toEqual([
    "probe -> put back - failed: endpoints probe-a-cp, probe-a-w1, probe-a-w2 | endpoints probe-a-w1, probe-a-w2",
  ]);
});

test("is blocked on a node where the Service did not answer before", () => {
  const change: Change = {
    ...answering(({ source, target }) => source === "w1/probe-b" && target === "probe", silent),
    relabelling: (good) => ({ ...good, answered: { ...good.answered, w1: undefined } }),
  };
  expect(problemsOf("endpoints", change)).toEqual([
    "w1/probe-b -> without probe-a-cp TCP blocked: answers from probe-a-w1, probe-a-w2 only | service from w1/probe-b failed",
  ]);
});

test("is promised by every network, so that it always applies", () => {
  expect(endpoints).not.toHaveProperty("exemption");
  expect(countsOf("endpoints", { ...SILENCE, found: [], notApplicable: NO_PROMISE })).toEqual({ passed: 6, failed: 1 });
});
