import { expect, test } from "vitest";
import { restoredWarnings } from "../../../components/connectivity/restored";

test("what a node put back in the last hour is told of once each, by its newest time", () => {
  const what = "the route 10.244.2.0/24 via 192.0.2.12 was missing";
  expect(
    restoredWarnings({
      w1: {
        restored: [
          { what: "net.ipv4.ip_forward was 0", secondsAgo: 3601 },
          { what, secondsAgo: 90 },
          { what, secondsAgo: 12 },
        ],
      },
      w2: { restored: [] },
    }),
  ).toEqual([`w1: ${what}; podnet put it back 12 s ago: look who changes it, or it happens again`]);
});
