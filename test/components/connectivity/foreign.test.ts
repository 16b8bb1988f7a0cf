import { afterEach, beforeEach, expect, test } from "vitest";
import { clusterInput, inputOf } from "../../../components/connectivity/foreign";
import { readKubeconfig } from "../../../components/kubernetes/access";
import { KubeClient } from "../../../components/kubernetes/client";
import { type Api, startApi } from "../kubernetes/api";

let api: Api;
let client: KubeClient;

beforeEach(async () => {
  api = await startApi();
  client = new KubeClient((await readKubeconfig(api.kubeconfig)).access);
});

afterEach(async () => {
  client.close();
  await api.close();
});

function node(name: string, addresses: readonly string[], os = "linux"): void {
  const status = { addresses: addresses.map((address) => ({ type: "InternalIP", address })) };
  api.objects.set(`/api/v1/nodes/${name}`, {
    metadata: { name, resourceVersion: "1", labels: { "kubernetes.io/os": os } },
    status,
  });
}

function service(name: string, clusterIP: string): void {
  const path = `/api/v1/namespaces/podnet-check/services/${name}`;
  api.objects.set(path, { metadata: { name, resourceVersion: "1" }, spec: { clusterIP } });
}

const given = clusterInput.parse({ kubeconfig: "k" });

test("the nodes and Services are taken from the API, and a node that is left out is told with the reason", async () => {
  node("b", ["fd00::1", "192.0.2.2"]);
  node("a", ["192.0.2.1"]);
  node("win", ["192.0.2.3"], "windows");
  node("six", ["fd00::4"]);
  service("probe", "10.0.0.1");
  service("hairpin", "10.0.0.2");
  const { input, left } = await inputOf(client, given);
  expect(Object.entries(input.nodes)).toEqual([
    ["a", { internalIp: "192.0.2.1", mtu: 0, works: {} }],
    ["b", { internalIp: "192.0.2.2", mtu: 0, works: {} }],
  ]);
  expect(input).toMatchObject({
    podsAlone: true,
    connections: {},
    dnsDomain: "cluster.local",
    readyTimeout: 180,
    probeServices: { probe: "10.0.0.1", hairpin: "10.0.0.2" },
  });
  expect(input.network.notApplicable.map(({ promise }) => promise)).toEqual(["policy", "no-nat-to-nodes"]);
  expect(left).toEqual(["win is not asked: it runs no Linux", "six is not asked: it has no InternalIP of IPv4"]);
});

test("a cluster without a node for Linux pods is refused, and one where the check's Services are gone", async () => {
  await expect(inputOf(client, given)).rejects.toThrow(/has no Linux node with an IPv4 InternalIP$/);
  node("a", ["192.0.2.1"]);
  await expect(inputOf(client, given)).rejects.toThrow(
    /^the check's own Service podnet-check\/\S+ is not there; pulumi up of the stack that has the check brings it back/,
  );
});
