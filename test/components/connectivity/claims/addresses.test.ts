import { expect, test } from "vitest";
import { addresses } from "../../../../components/connectivity/claims/addresses";
import { countsOf, NO_PROMISE, problemsOf, SILENCE } from "../world";

test("passes where each pod has an address of its own in its node's pod CIDR", () => {
  expect(countsOf("addresses")).toEqual({ passed: 3 });
});

test("fails on each node that has a pod whose address another pod has, naming both", () => {
  const twice = { name: "shop/cart", node: "w2", ip: "10.244.1.2" };
  expect(problemsOf("addresses", { listed: (good) => [...good, twice] })).toEqual([
    "w1 -> pods - failed: each of its 2 pods has an address of 10.244.1.0/24 that no other pod has | 10.244.1.2 is the address of podnet-check/probe-a-w1 on w1 and of shop/cart on w2",
    "w2 -> pods - failed: each of its 3 pods has an address of 10.244.2.0/24 that no other pod has | 10.244.1.2 is the address of podnet-check/probe-a-w1 on w1 and of shop/cart on w2; shop/cart has 10.244.1.2",
  ]);
});

test("fails where a pod has an address outside its node's pod CIDR", () => {
  expect(
    problemsOf("addresses", { listed: (good) => [...good, { name: "shop/cart", node: "cp", ip: "10.88.0.7" }] }),
  ).toEqual([
    "cp -> pods - failed: each of its 4 pods has an address of 10.244.0.0/24 that no other pod has | shop/cart has 10.88.0.7",
  ]);
});

test("asks nothing of the network, so that it is never blocked, and always applies", () => {
  expect(addresses).not.toHaveProperty("exemption");
  expect(countsOf("addresses", { ...SILENCE, notApplicable: NO_PROMISE })).toEqual({ passed: 3 });
});
