import { beforeAll, beforeEach, expect, test } from "vitest";
import { CiliumNetwork } from "../../../../components/index";
import { ciliumAgentTemplate } from "../../../../components/network/cilium/agent";
import { ciliumConfig } from "../../../../components/network/cilium/config";
import { CILIUM_ROUTING_MODES, ciliumDefinition } from "../../../../components/network/cilium/definition";
import { ciliumOperatorTemplate } from "../../../../components/network/cilium/operator";
import { CILIUM_OPERATOR_RULES } from "../../../../components/network/cilium/rules";
import { type Made, useMocks } from "../../mocks";
import { commandsOf, summary, wholeNetwork } from "../whole";

const definitions = CILIUM_ROUTING_MODES.flatMap((mode) =>
  [false, true].map((replacement) => ciliumDefinition(mode, replacement)),
);

let made: Made[] = [];
beforeAll(() => useMocks((one) => made.push(one)));
beforeEach(() => {
  made = [];
});

test("makes the commands of every network and its own objects, and is proven by the same check", async () => {
  const whole = await wholeNetwork(
    made,
    (on) => new CiliumNetwork("network", { cluster: on, kubeProxyReplacement: true }),
  );
  expect(whole).toEqual({
    objects: [
      "ClusterRole cilium",
      "ClusterRole cilium-operator",
      "ClusterRoleBinding cilium",
      "ClusterRoleBinding cilium-operator",
      "ConfigMap kube-system/cilium-config",
      "DaemonSet kube-system/cilium",
      "Deployment kube-system/cilium-operator",
      "Role kube-system/cilium-config-agent",
      "RoleBinding kube-system/cilium-config-agent",
      "ServiceAccount kube-system/cilium",
      "ServiceAccount kube-system/cilium-operator",
    ],
    commands: commandsOf(true),
    mtus: { cp: 1500, w1: 1500 },
  });
});

test("says what follows from its choice", () => {
  expect(definitions.map(summary)).toEqual([
    { id: "cilium-native", overhead: 0, policy: true, leavesOpen: [], ownEgress: false, replacesKubeProxy: false },
    {
      id: "cilium-native-no-kube-proxy",
      overhead: 0,
      policy: true,
      leavesOpen: [],
      ownEgress: false,
      replacesKubeProxy: true,
    },
    {
      id: "cilium-tunnel",
      overhead: 50,
      policy: true,
      leavesOpen: ["no-nat-to-nodes"],
      ownEgress: false,
      replacesKubeProxy: false,
    },
    {
      id: "cilium-tunnel-no-kube-proxy",
      overhead: 50,
      policy: true,
      leavesOpen: ["no-nat-to-nodes"],
      ownEgress: false,
      replacesKubeProxy: true,
    },
  ]);
});

const base = { podCidr: "10.244.0.0/16", kubeProxyReplacement: false };

test("routes natively between the nodes, or tunnels", () => {
  const native = ciliumConfig({ ...base, routingMode: "native" });
  expect(native).toMatchObject({
    "routing-mode": "native",
    "auto-direct-node-routes": "true",
    "ipv4-native-routing-cidr": "10.244.0.0/16",
    "kube-proxy-replacement": "false",
    ipam: "kubernetes",
  });
  const tunnel = ciliumConfig({ ...base, routingMode: "tunnel", mtu: 1400 });
  expect(tunnel).toMatchObject({ "routing-mode": "tunnel", "tunnel-protocol": "vxlan", mtu: "1450" });
  expect(tunnel).not.toHaveProperty("auto-direct-node-routes");
  expect(native).not.toHaveProperty("mtu");
});

test("reaches the API server by its own address where it replaces kube-proxy", () => {
  const template = ciliumAgentTemplate(ciliumDefinition("native", true), {
    ...base,
    routingMode: "native",
    kubeProxyReplacement: true,
    apiServer: "192.0.2.10:6443",
  });
  expect(template.spec.containers[0]?.env).toContainEqual({ name: "KUBERNETES_SERVICE_HOST", value: "192.0.2.10" });
  expect(template.spec.nodeSelector).toEqual({
    "kubernetes.io/os": "linux",
    "podnet.dev/network": "cilium-native-no-kube-proxy",
  });
  const operator = ciliumOperatorTemplate(ciliumDefinition("native", false), { ...base, routingMode: "native" });
  expect(operator.spec.nodeSelector).toEqual({
    "kubernetes.io/os": "linux",
    "podnet.dev/network": "cilium-native",
  });
});

test("lets its operator update the definitions of its own kinds only", () => {
  const update = CILIUM_OPERATOR_RULES.find(
    ({ resources, verbs }) => resources[0] === "customresourcedefinitions" && verbs.join() === "update",
  );
  expect(update).toMatchObject({ apiGroups: ["apiextensions.k8s.io"] });
  expect(JSON.stringify(update)).toContain('"ciliumnetworkpolicies.cilium.io"');
});
