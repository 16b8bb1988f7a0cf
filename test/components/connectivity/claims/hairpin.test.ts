import { expect, test } from "vitest";
import { hairpin } from "../../../../components/connectivity/claims/hairpin";
import { answering, type Change, countsOf, NO_PROMISE, ok, problemsOf, silent, SILENCE, world } from "../world";

const noHairpin = (protocol: string): Change =>
  answering(({ claim, node, ask }) => claim === "hairpin" && node === "w2" && ask.protocol === protocol, silent);
/** Both changes: another answer by either. */
const both = (a: Change, b: Change): Change => ({
  answer: (request, good) => b.answer?.(request, a.answer?.(request, good) ?? good) ?? good,
});

test("asks each node's only pod of a Service by way of its ClusterIP, from that pod", () => {
  const own = world({ nodes: ["cp"] }).facts.requestsOf("hairpin");
  expect(own.map(({ source, target, ask }) => ({ source, target, ...ask }))).toEqual([
    {
      source: "cp/probe-b",
      target: "hairpin",
      kind: "hostnames",
      protocol: "TCP",
      address: "10.96.2.1",
      port: 80,
      tries: 1,
    },
    {
      source: "cp/probe-b",
      target: "hairpin",
      kind: "hostnames",
      protocol: "UDP",
      address: "10.96.2.1",
      port: 81,
      tries: 1,
    },
  ]);
});

test("passes where the pod answers itself", () => {
  expect(countsOf("hairpin")).toEqual({ passed: 6 });
});

test("fails where it does not, or another does", () => {
  expect(problemsOf("hairpin", noHairpin("UDP"))).toEqual([
    "w2/probe-b -> hairpin UDP failed: w2/probe-b answers itself | no answer within 1.5 s",
  ]);
  const other = answering(
    ({ target, node, ask }) => target === "hairpin" && node === "w2" && ask.protocol === "TCP",
    ok("probe-b-cp"),
  );
  expect(problemsOf("hairpin", other)).toEqual([
    "w2/probe-b -> hairpin TCP failed: w2/probe-b answers itself | an answer of probe-b-cp",
  ]);
});

test("is blocked where the node's ClusterIPs fail, by the same transport", () => {
  const service = answering(
    ({ claim, source, ask }) => claim === "service" && source === "w2/probe-b" && ask.protocol === "TCP",
    silent,
  );
  expect(problemsOf("hairpin", both(service, noHairpin("TCP")))).toEqual([
    "w2/probe-b -> hairpin TCP blocked: w2/probe-b answers itself | service from w2/probe-b to probe failed",
  ]);
  expect(problemsOf("hairpin", both(service, noHairpin("UDP")))).toEqual([
    "w2/probe-b -> hairpin UDP failed: w2/probe-b answers itself | no answer within 1.5 s",
  ]);
});

test("is blocked where the node's pods reach no other node", () => {
  const cut = answering(
    ({ claim, node, targetNode, ask }) =>
      claim === "pod-to-pod" && node === "w2" && targetNode !== "w2" && ask.protocol === "TCP",
    silent,
  );
  expect(problemsOf("hairpin", both(cut, noHairpin("TCP")))).toEqual([
    "w2/probe-b -> hairpin TCP blocked: w2/probe-b answers itself | pod-to-pod from w2/probe-b to cp/probe-b over TCP failed",
  ]);
});

test("is promised by every network, so that it always applies", () => {
  expect(hairpin).not.toHaveProperty("exemption");
  expect(countsOf("hairpin", { ...SILENCE, notApplicable: NO_PROMISE })).toEqual({ blocked: 6 });
});
