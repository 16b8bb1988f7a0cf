import { expect, test } from "vitest";
import { matches, selectorText } from "../../../components/kubernetes/selector";

test("a selector matches pods that have all its labels", () => {
  expect(matches({ app: "web" }, { app: "web", tier: "front" })).toBe(true);
  expect(matches({ app: "web", tier: "front" }, { app: "web" })).toBe(false);
});

test("a selector is written as Kubernetes writes it", () => {
  expect(selectorText({ tier: "front", app: "web" })).toBe("tier=front,app=web");
});
