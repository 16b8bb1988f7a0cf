import { beforeAll, beforeEach, expect, test } from "vitest";
import { BridgeNetwork } from "../../../../components/index";
import { bridgeDefinition } from "../../../../components/network/bridge/definition";
import { type Made, useMocks } from "../../mocks";
import { commandsOf, summary, wholeNetwork } from "../whole";

let made: Made[] = [];
beforeAll(() => useMocks((one) => made.push(one)));
beforeEach(() => {
  made = [];
});

test("makes the commands of every network and its own objects, and is proven by the same check", async () => {
  const whole = await wholeNetwork(made, (on) => new BridgeNetwork("network", { cluster: on }));
  expect(whole).toEqual({
    objects: [],
    commands: commandsOf(false),
    mtus: { cp: 1500, w1: 1500 },
  });
});

test("says what follows from its choice", () => {
  expect([bridgeDefinition()].map(summary)).toEqual([
    { id: "bridge", overhead: 0, policy: false, leavesOpen: ["policy"], ownEgress: true, replacesKubeProxy: false },
  ]);
});

test("says why it enforces no NetworkPolicy", () => {
  expect(bridgeDefinition().notApplicable).toEqual([
    { promise: "policy", reason: "the bridge network has no policy engine" },
  ]);
});
