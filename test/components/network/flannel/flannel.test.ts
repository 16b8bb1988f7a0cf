import { beforeAll, beforeEach, expect, test } from "vitest";
import { FlannelNetwork } from "../../../../components/index";
import {
  FLANNEL_BACKENDS,
  type FlannelBackend,
  flannelDefinition,
} from "../../../../components/network/flannel/definition";
import { flannelFiles, flannelTemplate } from "../../../../components/network/flannel/manifest";
import { type Made, useMocks } from "../../mocks";
import { commandsOf, summary, wholeNetwork } from "../whole";

let made: Made[] = [];
beforeAll(() => useMocks((one) => made.push(one)));
beforeEach(() => {
  made = [];
});

test("makes the commands of every network and its own objects, and is proven by the same check", async () => {
  const whole = await wholeNetwork(made, (on) => new FlannelNetwork("network", { cluster: on, backend: "vxlan" }));
  expect(whole).toEqual({
    objects: [
      "ClusterRole flannel",
      "ClusterRoleBinding flannel",
      "ConfigMap kube-flannel/kube-flannel-cfg",
      "DaemonSet kube-flannel/kube-flannel-ds",
      "Namespace kube-flannel",
      "ServiceAccount kube-flannel/flannel",
    ],
    commands: commandsOf(true),
    mtus: { cp: 1500, w1: 1500 },
  });
});

test("says what follows from its choice", () => {
  expect(FLANNEL_BACKENDS.map(flannelDefinition).map(summary)).toEqual([
    {
      id: "flannel-host-gw",
      overhead: 0,
      policy: false,
      leavesOpen: ["policy"],
      ownEgress: true,
      replacesKubeProxy: false,
    },
    {
      id: "flannel-vxlan",
      overhead: 50,
      policy: false,
      leavesOpen: ["policy", "no-nat-to-nodes"],
      ownEgress: false,
      replacesKubeProxy: false,
    },
  ]);
});

test("masquerades nothing in its bridge, and hairpins", () => {
  const files = flannelFiles({ podCidr: "10.244.0.0/16", backend: "host-gw" });
  const { plugins } = JSON.parse(files["cni-conf.json"] ?? "") as { plugins: { delegate?: object; ipam?: object }[] };
  expect(plugins[0]?.delegate).toEqual({ bridge: "cni0", hairpinMode: true, isDefaultGateway: true, ipMasq: false });
  expect(plugins[0]?.ipam).toEqual({ type: "host-local", dataDir: "/run/podnet/ipam" });
  expect(JSON.parse(files["net-conf.json"] ?? "")).toEqual({
    Network: "10.244.0.0/16",
    EnableNFTables: false,
    Backend: { Type: "host-gw" },
  });
});

test("is told the MTU of the link where the pods' is declared", () => {
  const files = flannelFiles({ podCidr: "10.244.0.0/16", backend: "vxlan", mtu: 1400 });
  expect(JSON.parse(files["net-conf.json"] ?? "")).toMatchObject({ Backend: { Type: "vxlan", MTU: 1450 } });
  expect(files["cni-conf.json"]).toContain('"mtu": 1400');
});

test("masquerades itself with an overlay only; else the nodes are told to", () => {
  const command = (backend: FlannelBackend): string[] =>
    flannelTemplate(flannelDefinition(backend), {}).spec.containers[0]?.command ?? [];
  expect(command("vxlan")).toContain("--ip-masq");
  expect(command("host-gw")).not.toContain("--ip-masq");
  expect(flannelDefinition("vxlan").ownEgress).toBe(false);
  expect(flannelDefinition("host-gw").ownEgress).toBe(true);
});
