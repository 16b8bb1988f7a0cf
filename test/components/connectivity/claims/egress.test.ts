import { expect, test } from "vitest";
import { egress } from "../../../../components/connectivity/claims/egress";
import { answering, countsOf, NO_PROMISE, ok, problemsOf, silent, SILENCE } from "../world";

const fromW1 = ({ claim, node }: { claim: string; node: string }): boolean => claim === "egress" && node === "w1";

test("passes where the peer sees each node's pod as it sees the node", () => {
  expect(countsOf("egress")).toEqual({ passed: 3 });
});

test("fails where the pod does not reach it, or is seen by its own address", () => {
  expect(problemsOf("egress", answering(fromW1, silent))).toEqual([
    "w1/probe-b -> 192.0.2.1 TCP failed: the peer sees 192.0.2.11, as it sees the node itself | no answer within 1.5 s",
  ]);
  expect(problemsOf("egress", answering(fromW1, ok("10.244.1.3")))).toEqual([
    "w1/probe-b -> 192.0.2.1 TCP failed: the peer sees 192.0.2.11, as it sees the node itself | it sees 10.244.1.3",
  ]);
});

test("does not apply on a node that does not reach the peer itself", () => {
  expect(problemsOf("egress", { ways: ({ cp, w2 }) => ({ ...(cp && { cp }), ...(w2 && { w2 }) }) })).toEqual([
    "w1 -> outside - not-applicable: a pod reaches a peer outside the cluster | w1 does not reach the machine that runs the check, or that is one of the cluster's; no other peer outside it is known",
  ]);
  expect(countsOf("egress", { ways: () => ({}) })).toEqual({ "not-applicable": 3 });
});

test("waits on nothing, so that it is never blocked, and is promised by every network", () => {
  expect(egress).not.toHaveProperty("exemption");
  expect(egress.waitsOn).toEqual([]);
  expect(countsOf("egress", { ...SILENCE, notApplicable: NO_PROMISE })).toEqual({ failed: 3 });
});
