import { describe, expect, test } from "vitest";
import { nodeScript, parseNode, removeNetworkScript } from "../../../components/network/node";
import {
  bridgePlan,
  ciliumPlan,
  flannelPlan,
  kubeRouterPlan,
  NETWORK_IDS,
  planOf,
} from "../../../components/network/definition";
import { imageScript } from "../../../components/node/install";
import { enableScript, forgetScript, parseSwitch, switchScript } from "../../../components/network/change";

const input = {
  internalIp: "192.0.2.11",
  nodePodCidr: "10.244.1.0/24",
  podCidr: "10.244.0.0/16",
  peers: [{ podCidr: "10.244.0.0/24", internalIp: "192.0.2.10" }],
};

describe("plans", () => {
  test("have ids of their own, by which they are found", () => {
    expect(NETWORK_IDS).toEqual([
      "bridge",
      "flannel-host-gw",
      "flannel-vxlan",
      "kube-router",
      "kube-router-ipvs",
      "cilium-native",
      "cilium-native-no-kube-proxy",
      "cilium-tunnel",
      "cilium-tunnel-no-kube-proxy",
    ]);
    expect(NETWORK_IDS.map((id) => planOf(id).id)).toEqual(NETWORK_IDS);
    expect(() => planOf("calico")).toThrow(/^no network "calico"; there are bridge, flannel-host-gw, /);
  });

  test("take what an overlay costs from the MTU", () => {
    expect(NETWORK_IDS.filter((id) => planOf(id).overhead === 50)).toEqual([
      "flannel-vxlan",
      "cilium-tunnel",
      "cilium-tunnel-no-kube-proxy",
    ]);
  });

  test("either enforce NetworkPolicy or say why the claim does not apply", () => {
    for (const id of NETWORK_IDS) {
      const { enforcesPolicy, notApplicable } = planOf(id);
      expect(notApplicable.some(({ promise }) => promise === "policy")).toBe(!enforcesPolicy);
    }
    expect(bridgePlan().notApplicable).toEqual([
      { promise: "policy", reason: "the bridge network has no policy engine" },
    ]);
  });

  test("claim everything else, but for an overlay's packets to nodes", () => {
    const partly = NETWORK_IDS.flatMap((id) =>
      planOf(id)
        .notApplicable.filter(({ promise }) => promise !== "policy")
        .map(({ promise }) => `${id} ${promise}`),
    );
    expect(partly).toEqual([
      "flannel-vxlan no-nat-to-nodes",
      "cilium-tunnel no-nat-to-nodes",
      "cilium-tunnel-no-kube-proxy no-nat-to-nodes",
    ]);
  });
});

describe("flannel", () => {
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

  test("masquerades itself with an overlay only", () => {
    const command = (backend: string): string[] =>
      flannelTemplate(flannelPlan(backend), {}).spec.containers[0]?.command ?? [];
    expect(command("vxlan")).toContain("--ip-masq");
    expect(command("host-gw")).not.toContain("--ip-masq");
    expect(nodeScript(flannelPlan("host-gw"), input)).toContain("nft -f /etc/podnet/egress.nft");
    expect(nodeScript(flannelPlan("vxlan"), input)).not.toContain("nft -f /etc/podnet/egress.nft");
  });
});

describe("kube-router", () => {
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
        kubeRouterPlan(serviceProxy),
        { serviceCidr: "10.96.0.0/16", apiServer: serviceProxy ? "192.0.2.10:6443" : undefined },
        {},
      ).spec.containers[0];
    expect(container(false)?.args).toContain("--run-service-proxy=false");
    expect(container(true)?.args).toContain("--run-service-proxy=true");
    expect(container(false)?.env.map(({ name }) => name)).not.toContain("KUBERNETES_SERVICE_HOST");
    expect(container(true)?.env).toContainEqual({ name: "KUBERNETES_SERVICE_HOST", value: "192.0.2.10" });
    expect(kubeRouterPlan(true).features).toContain("ipvs");
  });
});

describe("cilium", () => {
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
    const template = ciliumAgentTemplate(ciliumPlan("native", true), {
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
    expect(
      ciliumOperatorTemplate(ciliumPlan("native", false), { ...base, routingMode: "native" }).spec.nodeSelector,
    ).toEqual({ "kubernetes.io/os": "linux", "podnet.dev/network": "cilium-native" });
  });

  test("lets its operator update the definitions of its own kinds only", () => {
    const update = CILIUM_OPERATOR_RULES.find(
      ({ resources, verbs }) => resources[0] === "customresourcedefinitions" && verbs.join() === "update",
    );
    expect(update).toMatchObject({ apiGroups: ["apiextensions.k8s.io"] });
    expect(JSON.stringify(update)).toContain('"ciliumnetworkpolicies.cilium.io"');
  });
});
