import { Provider } from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import { beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { Cluster } from "../../../components/cluster/Cluster";
import { AGNHOST_IMAGE } from "../../../components/node/releases";
import { SelectedService, type SelectedServiceArgs } from "../../../components/service/SelectedService";

let made: { type: string; name: string; inputs: Record<string, unknown> }[] = [];

beforeAll(async () => {
  await pulumi.runtime.setMocks({
    newResource: ({ type, name, inputs }) => {
      made.push({ type, name, inputs: inputs as Record<string, unknown> });
      const state = structuredClone(inputs) as Record<string, unknown>;
      if (type === "kubernetes:core/v1:Service") {
        // As an API server does it.
        const spec = state["spec"] as { type: string; clusterIP?: string; ports: { nodePort?: number }[] };
        spec.clusterIP ??= "10.96.7.7";
        if (spec.type === "NodePort") {
          spec.ports.forEach((port, index) => (port.nodePort ??= 31000 + index));
        }
      }
      return { id: `${name}-id`, state: { ...state, stdout: '{"endpoints":["web-1"]}' } };
    },
    call: () => ({}),
  });
});

beforeEach(() => {
  made = [];
});

const cluster = (): Cluster => {
  const provider = new Provider("cluster");
  const objectOptions = (parent: pulumi.Resource): pulumi.CustomResourceOptions => ({ parent, provider });
  return { kubeconfig: pulumi.secret("kubeconfig"), objectOptions } as unknown as Cluster;
};
const service = (more: Partial<SelectedServiceArgs>, name = "web"): SelectedService =>
  new SelectedService(name, { cluster: cluster(), selector: { app: name }, ports: [{ port: 80 }], ...more });
const valueOf = <T>(output: pulumi.Output<T>): Promise<T> => new Promise((done) => void output.apply(done));
const inputsOf = (name: string): Record<string, unknown> => made.find((one) => one.name === name)?.inputs ?? {};

test("the simplest Service is as it was before it could have more", async () => {
  const web = service({ image: "nginx:1.29" });
  expect(await valueOf(web.checked)).toEqual({
    namespace: "default",
    name: "web",
    type: "ClusterIP",
    clusterIP: "10.96.7.7",
    selector: { app: "web" },
    sessionAffinity: "None",
    publishNotReadyAddresses: false,
    ports: [{ name: "main", port: 80, targetPort: 80, protocol: "TCP", answersName: false }],
  });
  expect(await valueOf(web.endpoints)).toEqual(["web-1"]);
  expect(made.map(({ name }) => name).filter((name) => name.startsWith("web"))).toEqual([
    "web",
    "web-service",
    "web-workload",
    "web-endpoints",
  ]);
  expect(inputsOf("web-service")).toMatchObject({
    metadata: {
      name: "web",
      namespace: "default",
      labels: { "app.kubernetes.io/managed-by": "podnet", "podnet.dev/service": "web" },
    },
    spec: {
      type: "ClusterIP",
      selector: { app: "web" },
      ports: [{ name: "main", port: 80, targetPort: 80, protocol: "TCP" }],
    },
  });
});

test("a Service in front of somebody else's pods has no workload", async () => {
  const web = service({});
  await valueOf(web.endpoints);
  expect(web.ownsPods).toBe(false);
  expect(made.some(({ name }) => name === "web-workload")).toBe(false);
});

test("what is of a workload's is warned of where there is none", async () => {
  const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
  await valueOf(service({ replicas: 3, args: ["netexec"] }).endpoints);
  expect(warn.mock.calls.map(([message]) => message)).toEqual([
    "args has no effect: it belongs to the workload, and without an image there is no workload",
    "replicas has no effect: it belongs to the workload, and without an image there is no workload",
  ]);
  warn.mockClear();
  await valueOf(service({ replicas: 3, image: AGNHOST_IMAGE }, "own").endpoints);
  expect(warn).not.toHaveBeenCalled();
  warn.mockRestore();
});

test("ports of nodes are told as the cluster gave them", async () => {
  const web = service({
    type: "NodePort",
    image: AGNHOST_IMAGE,
    args: ["netexec", "--http-port=8080", "--udp-port=8081"],
    ports: [
      { name: "http", port: 80, targetPort: 8080, nodePort: 30080 },
      { name: "udp", port: 81, targetPort: 8081, protocol: "UDP" },
    ],
  });
  expect(await valueOf(web.ports)).toEqual([
    { name: "http", port: 80, targetPort: 8080, protocol: "TCP", nodePort: 30080 },
    { name: "udp", port: 81, targetPort: 8081, protocol: "UDP", nodePort: 31001 },
  ]);
  expect((await valueOf(web.checked)).ports.map(({ name, answersName }) => [name, answersName])).toEqual([
    ["http", true],
    ["udp", true],
  ]);
});

test("what is an Output is validated when it is known, and what is not, at once", async () => {
  const web = service({
    ports: [
      { port: pulumi.output(80), name: pulumi.output("http") },
      { port: 81, name: "alt" },
    ],
    type: pulumi.output("Headless" as const),
  });
  expect(await valueOf(web.clusterIP)).toBe("None");
  expect(() => service({ ports: [{ port: pulumi.output(80) }, { port: 0 }] })).toThrow(
    "invalid SelectedService args:\n  ports.1.port: must be a whole number between 1 and 65535, got 0\n" +
      "  ports.0.name: is required: a Service with several ports names each of them\n" +
      "  ports.1.name: is required: a Service with several ports names each of them",
  );
});

test("a wrong Service is refused before anything is made, also by its resource's name", () => {
  expect(() => service({}, "1web")).toThrow(/^invalid SelectedService args: serviceName: must be a DNS label/);
  expect(made.filter(({ type }) => type.startsWith("kubernetes:core") || type.startsWith("command:"))).toEqual([]);
});

test("the endpoints' command is told whether pods count that are not ready", async () => {
  const stdin = async (more: Partial<SelectedServiceArgs>): Promise<unknown> => {
    made = [];
    await valueOf(service(more).endpoints);
    const { value } = inputsOf("web-endpoints")["stdin"] as { value: string };
    return JSON.parse(value);
  };
  const common = {
    kubeconfig: "kubeconfig",
    namespace: "default",
    name: "web",
    selector: { app: "web" },
    timeout: 180,
  };
  expect(await stdin({})).toEqual(common);
  expect(await stdin({ publishNotReadyAddresses: true, image: "nginx:1.29", replicas: 2 })).toEqual({
    ...common,
    publishNotReadyAddresses: true,
    replicas: 2,
  });
});
