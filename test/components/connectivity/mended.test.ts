import { expect, test } from "vitest";
import { mendedWarnings } from "../../../components/connectivity/mended";

test("what a node mended in the last hour is told of once each, by its newest time", () => {
  const what = "the route 10.244.2.0/24 via 192.0.2.12 was missing";
  expect(
    mendedWarnings({
      w1: {
        mended: [
          { what: "net.ipv4.ip_forward was 0", secondsAgo: 3601 },
          { what, secondsAgo: 90 },
          { what, secondsAgo: 12 },
        ],
      },
      w2: { mended: [] },
    }),
  ).toEqual([`w1: ${what}; podnet mended that 12 s ago; find out who changes it, or it will happen again`]);
});
