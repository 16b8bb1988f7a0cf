import { describe, expect, test } from "vitest";
import { marksPattern, tracesOf } from "../lab/host";

const id = "4f0c".repeat(16);
const marks = {
  name: "podnet-0a1b2c",
  bridge: "pn-0a1b2c",
  subnet: "172.20.3.0/24",
  given: new Set([id, "veth12ab34c"]),
};

describe("what a lab leaves on its host", () => {
  test.each([
    "podnet-0a1b2c-cp podnet-0a1b2c",
    "7: pn-0a1b2c: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500",
    "9: vethffff01@if8: <BROADCAST,UP> mtu 1500 master pn-0a1b2c state UP",
    "11: veth12ab34c@if10: <BROADCAST,UP> mtu 1500",
    "10.244.1.0/24 via 172.20.3.11 dev eth0",
    "172.20.3.0/24 dev pn-0a1b2c proto kernel scope link src 172.20.3.1",
    "32765: from 172.20.3.0/24 lookup 100",
    "-A POSTROUTING -s 172.20.3.0/24 ! -o pn-0a1b2c -j MASQUERADE",
    'oifname "pn-0a1b2c" accept',
    `31 24 0:27 /docker/${id} /sys/fs/cgroup/memory rw`,
    `/sys/fs/cgroup/pids/docker/${id}/kubepods`,
    `4711 /usr/bin/containerd-shim-runc-v2 -namespace moby -id ${id} 0::/`,
    "/run/podnet-0a1b2c/docker.sock",
    "/tmp/podnet-0a1b2c.lock",
  ])("is seen: %s", (line) => {
    expect(tracesOf(marks, { kind: [line] })).toEqual({ kind: [line] });
  });

  test.each([
    "podnet-ffffff-cp podnet-ffffff",
    "podnet-0a1b2cd-cp podnet-0a1b2cd",
    "7: pn-0a1b2cd: <BROADCAST> mtu 1500",
    "9: veth12ab34cd@if8: <BROADCAST> mtu 1500 master pn-ffffff state UP",
    "172.20.30.0/24 dev pn-ffffff proto kernel scope link",
    "10.172.20.3 dev eth0",
    "-A FORWARD -i pn-ffffff -j ACCEPT",
    `/sys/fs/cgroup/pids/docker/${"5e1d".repeat(16)}`,
  ])("is not another's: %s", (line) => {
    expect(tracesOf(marks, { kind: [line] })).toEqual({ kind: [] });
  });

  test("is the same whatever another lab does meanwhile, and whatever has been counted", () => {
    const own = "-A FORWARD -s 172.20.3.0/24 -j ACCEPT";
    const before = tracesOf(marks, { firewall: [`[1:60] ${own}`], links: [] });
    const after = tracesOf(marks, {
      firewall: ["-A FORWARD -i pn-ffffff", `[7:400] ${own}`],
      links: ["3: pn-ffffff:"],
    });
    expect(after).toEqual(before);
  });

  test("is looked for before its subnet is chosen", () => {
    expect(marksPattern({ ...marks, subnet: undefined }).test("10.0.0.0/8 dev eth0")).toBe(false);
    expect(marksPattern({ ...marks, subnet: undefined }).test("dev pn-0a1b2c")).toBe(true);
  });
});
