import { expect, test } from "vitest";
import {
  bridgeOf,
  chooseSubnet,
  collisions,
  labIdentity,
  nodeAddress,
  parseHostRoutes,
  roomProblems,
  subnetProblems,
} from "../../../components/lab/identity";

const identity = labIdentity("/home/somebody/podnet");

test("two clones have different names, bridges and subnets", () => {
  const other = labIdentity("/home/somebody/podnet2");
  expect(other.name).not.toBe(identity.name);
  expect(other.bridge).not.toBe(identity.bridge);
  expect(other.subnets[0]).not.toBe(identity.subnets[0]);
  expect(bridgeOf(identity.name)).toBe(identity.bridge);
  expect(bridgeOf("a-name-of-my-own").length).toBeLessThanOrEqual(15);
});

test("a subnet in the way of a host's route is refused with a free one", () => {
  const [first = "", second = ""] = identity.subnets;
  const routes = [
    { destination: "0.0.0.0/0", link: "eth0" },
    { destination: first, link: "tun0" },
  ];
  expect(chooseSubnet(identity, routes)).toBe(second);
  expect(subnetProblems(first, routes, identity)).toEqual([
    { path: "subnet", message: `${first} overlaps this host's route ${first} (tun0); ${second} is free` },
  ]);
  expect(subnetProblems(second, routes, identity)).toEqual([]);
  expect(roomProblems(second, [{ slot: 2 }])).toEqual([]);
  expect(roomProblems(second, [{ slot: 245 }])).toEqual([
    { path: "subnet", message: `${second} has no address for slot 245; use a larger one` },
  ]);
  expect(roomProblems(undefined, [{ slot: 245 }])).toEqual([
    { path: "subnet", message: "a /24 has no address for slot 245; use a larger one" },
  ]);
});

test("a lab's own bridge is in nobody's way", () => {
  const [first = ""] = identity.subnets;
  expect(collisions(first, [{ destination: first, link: identity.bridge }], identity.bridge)).toEqual([]);
});

test("reads iproute2's JSON", () => {
  const json =
    '[{"dst":"default","dev":"eth0"},{"dst":"10.1.2.3","dev":"eth0"},{"dst":"10.2.0.0/16","dev":"wg0"},{"dst":"fe80::/64","dev":"eth0"}]';
  expect(parseHostRoutes(json)).toEqual([
    { destination: "0.0.0.0/0", link: "eth0" },
    { destination: "10.1.2.3/32", link: "eth0" },
    { destination: "10.2.0.0/16", link: "wg0" },
  ]);
});

test("slots begin at a subnet's tenth address", () => {
  expect(nodeAddress("172.20.3.0/24", 2)).toBe("172.20.3.12");
});
