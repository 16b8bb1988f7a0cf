import { beforeAll, beforeEach, expect, test } from "vitest";
import { ConnectivityCheck, SelectedService } from "../../../components/index";
import { NETWORK_KINDS } from "../../../components/network/registry";
import { cluster, type Made, settle, useMocks } from "../mocks";

let made: Made[] = [];
beforeAll(() => useMocks((one) => made.push(one)));
beforeEach(() => {
  made = [];
});

test.each(NETWORK_KINDS.map((kind) => [kind.kind, kind] as const))(
  "every object that podnet makes in a cluster of the %s network is applied under one name and says who made it",
  async (_, kind) => {
    const demo = cluster(1);
    const network = kind.make("network", { cluster: demo });
    const web = new SelectedService("web", {
      cluster: demo,
      selector: { app: "web" },
      image: "nginx:1.29",
      ports: [{ port: 80 }],
    });
    new ConnectivityCheck("check", { cluster: demo, network, services: [web] });
    await settle(() => made.length);
    const objects = made.filter(({ type }) => type.startsWith("kubernetes:"));
    expect(objects.length).toBeGreaterThanOrEqual(8);
    const parents: Readonly<Record<string, string>> = {
      network: `podnet:index:${network.constructor.name}`,
      web: "podnet:index:SelectedService",
      check: "podnet:index:ConnectivityCheck",
    };
    for (const { type, name, inputs } of objects) {
      const { annotations } = inputs["metadata"] as { annotations: Record<string, string> };
      expect(annotations).toMatchObject({
        "pulumi.com/patchFieldManager": "podnet",
        "pulumi.com/patchForce": "true",
        "podnet.dev/owner": "11111111-2222-3333-4444-555555555555",
        "podnet.dev/resource": `${parents[name.split("-")[0] ?? ""] ?? ""}$${type}::${name}`,
      });
    }
    const provider = made.find(({ type }) => type === "pulumi:providers:kubernetes");
    expect(String(provider?.inputs["enableServerSideApply"])).toBe("true");
    expect(provider?.inputs["clusterIdentifier"]).toBe("demo");
  },
);
