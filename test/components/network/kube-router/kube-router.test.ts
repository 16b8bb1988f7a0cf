import { beforeAll, beforeEach, expect, test } from "vitest";
import { KubeRouterNetwork } from "../../../../components/index";
import { kubeRouterDefinition } from "../../../../components/network/kube-router/definition";
import { kubeRouterFiles, kubeRouterTemplate } from "../../../../components/network/kube-router/manifest";
import { type Made, useMocks } from "../../mocks";
import { commandsOf, summary, wholeNetwork } from "../whole";

let made: Made[] = [];
beforeAll(() => useMocks((one) => made.push(one)));
beforeEach(() => {
  made = [];
});

test("makes the commands of every network and its own objects, and is proven by the same check", async () => {
  const whole = await wholeNetwork(made, (on) => new KubeRouterNetwork("network", { cluster: on }));
  expect(whole).toEqual({
    objects: [
      "ClusterRole kube-router",
      "ClusterRoleBinding kube-router",
      "ConfigMap kube-system/kube-router-cfg",
      "DaemonSet kube-system/kube-router",
      "ServiceAccount kube-system/kube-router",
    ],
    commands: commandsOf(true),
    mtus: { cp: 1500, w1: 1500 },
  });
});

test("says what follows from its choice", () => {
  expect([false, true].map(kubeRouterDefinition).map(summary)).toEqual([
    { id: "kube-router", overhead: 0, policy: true, leavesOpen: [], ownEgress: false, replacesKubeProxy: false },
    { id: "kube-router-ipvs", overhead: 0, policy: true, leavesOpen: [], ownEgress: false, replacesKubeProxy: true },
  ]);
});

test("hairpins and keeps its addresses where a crash does not leak them", () => {
  const { plugins } = JSON.parse(kubeRouterFiles({})["cni-conf.json"] ?? "") as { plugins: object[] };
  expect(plugins[0]).toEqual({
    name: "kubernetes",
    type: "bridge",
    bridge: "kube-bridge",
    isDefaultGateway: true,
    hairpinMode: true,
    ipam: { type: "host-local", dataDir: "/run/podnet/ipam" },
  });
});

test("serves ClusterIPs only where asked, and then does without them itself", () => {
  const container = (serviceProxy: boolean) =>
    kubeRouterTemplate(
      kubeRouterDefinition(serviceProxy),
      { serviceCidr: "10.96.0.0/16", apiServer: serviceProxy ? "192.0.2.10:6443" : undefined },
      {},
    ).spec.containers[0];
  expect(container(false)?.args).toContain("--run-service-proxy=false");
  expect(container(true)?.args).toContain("--run-service-proxy=true");
  expect(container(false)?.env.map(({ name }) => name)).not.toContain("KUBERNETES_SERVICE_HOST");
  expect(container(true)?.env).toContainEqual({ name: "KUBERNETES_SERVICE_HOST", value: "192.0.2.10" });
  expect(kubeRouterDefinition(true).features).toContain("ipvs");
  expect(kubeRouterDefinition(false).features).not.toContain("ipvs");
});
