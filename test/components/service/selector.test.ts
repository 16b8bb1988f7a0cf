import { expect, test } from "vitest";
import { judgeEndpoints, SERVICE_LABEL } from "../../../components/service/selector";

const pod = (name: string, owner: string | undefined, ready = true) => ({
  name,
  ready,
  running: true,
  labels: { app: "web", ...(owner !== undefined && { [SERVICE_LABEL]: owner }) },
});
const web = { namespace: "default", name: "web", selector: { app: "web" } };

test("a service is right when its endpoints are its own ready pods", () => {
  expect(judgeEndpoints({ ...web, replicas: 2 }, [pod("a", "web"), pod("b", "web")], ["b", "a"])).toEqual({});
});

test("pods of another owner are wrong for good", () => {
  expect(judgeEndpoints({ ...web, replicas: 1 }, [pod("a", "shop"), pod("b", undefined)], [])).toEqual({
    wrong:
      "service default/web: selector app=web matches pods of another owner: a of service shop, b; choose labels that only its own pods have; if that is this SelectedService by its old name, give it that name by `aliases`",
  });
});

test("in front of somebody else's pods, only another service's are wrong", () => {
  expect(judgeEndpoints(web, [pod("b", undefined)], ["b"])).toEqual({});
  expect(judgeEndpoints(web, [pod("a", "shop")], ["a"]).wrong).toContain("a of service shop");
});

test("pods of a workload that is no longer declared do not count: they go after the check", () => {
  const own = [pod("a", "web"), pod("b", "web")];
  expect(judgeEndpoints(web, own, ["a", "b"])).toEqual({
    wait: "service default/web: selector app=web matches no pod but those of its own workload, which is no longer declared (no image)",
  });
  expect(judgeEndpoints(web, [...own, pod("c", undefined, false)], ["a", "b"])).toEqual({
    wait: "service default/web: none of the 1 pods that app=web matches is ready",
  });
  expect(judgeEndpoints(web, [...own, pod("c", undefined)], ["a", "b", "c"])).toEqual({});
  expect(judgeEndpoints(web, [...own, pod("c", undefined)], ["a", "b"])).toEqual({
    wait: "service default/web: endpoints are a, b, ready pods are c",
  });
});

test("what is not there yet is waited for, with the reason", () => {
  expect(judgeEndpoints(web, [], [])).toEqual({ wait: "service default/web: selector app=web matches no pod" });
  expect(judgeEndpoints({ ...web, replicas: 2 }, [pod("a", "web"), pod("b", "web", false)], ["a"])).toEqual({
    wait: "service default/web: 1 of 2 pods are ready",
  });
  expect(judgeEndpoints(web, [pod("a", undefined)], [])).toEqual({
    wait: "service default/web: endpoints are none, ready pods are a",
  });
});

test("pods that are not ready count where they are published, and those that do not run do not", () => {
  const published = { ...web, replicas: 2, publishNotReadyAddresses: true };
  const starting = pod("b", "web", false);
  expect(judgeEndpoints(published, [pod("a", "web"), starting], ["a", "b"])).toEqual({});
  expect(judgeEndpoints(published, [pod("a", "web"), starting], ["a"])).toEqual({
    wait: "service default/web: endpoints are a, running pods are a, b",
  });
  expect(judgeEndpoints(published, [pod("a", "web"), { ...starting, running: false }], ["a"])).toEqual({
    wait: "service default/web: 1 of 2 pods are running",
  });
  expect(
    judgeEndpoints({ ...web, publishNotReadyAddresses: true }, [{ ...pod("b", undefined, false), running: false }], []),
  ).toEqual({
    wait: "service default/web: none of the 1 pods that app=web matches is running",
  });
});
