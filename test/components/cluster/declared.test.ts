import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import type { ValidCluster } from "../../../components/cluster/args";
import { declaredMachines } from "../../../components/cluster/declared";

test("the preflight is told of a node's kubelet what it looks at otherwise itself: its resolver, and that it has thresholds", async () => {
  const node = (internalIp: string, kubeletConfig?: ValidCluster["nodes"][string]["kubeletConfig"]) => ({
    slot: 0,
    role: "worker" as const,
    internalIp,
    kubeletConfig,
  });
  const valid = pulumi.output({
    nodes: {
      w1: node("192.0.2.11"),
      w2: node("192.0.2.12", { resolvConf: "/etc/pods-resolv.conf", evictionHard: { "nodefs.available": "1%" } }),
    },
    podCidr: "10.244.0.0/16",
    serviceCidr: "10.96.0.0/16",
  } as unknown as ValidCluster);
  const declared = await new Promise<unknown>((resolve) => {
    declaredMachines(valid, pulumi.output("11111111"), {}).apply(({ machines }) => resolve(machines));
  });
  const both = { owner: "11111111", role: "worker", "pod-cidr": "10.244.0.0/16", "service-cidr": "10.96.0.0/16" };
  expect(declared).toEqual({
    w1: { ...both, node: "w1", "internal-ip": "192.0.2.11", resolver: [], eviction: [], ignore: [] },
    w2: {
      ...both,
      node: "w2",
      "internal-ip": "192.0.2.12",
      resolver: "/etc/pods-resolv.conf",
      eviction: "declared",
      ignore: [],
    },
  });
});
