import { beforeEach, expect, test, vi } from "vitest";
import type { z } from "zod";
import { waitForEndpoints } from "../../../components/service/endpoints";

/** What the API server has at a look. */
interface Cluster {
  readonly pods: readonly object[];
  readonly deployment?: object;
}
let cluster: () => Cluster;

vi.mock("../../../components/kubernetes/client", async (original) => {
  const real = await original<typeof import("../../../components/kubernetes/client")>();
  class KubeClient {
    get(path: string, schema: z.ZodType): Promise<unknown> {
      const { pods, deployment } = cluster();
      const ready = (pods as { metadata: { name: string }; status: { podIP?: string } }[]).filter(
        ({ status }) => status.podIP !== undefined,
      );
      const endpoints = ready.map(({ metadata: { name } }) => ({
        addresses: ["10.244.1.9"],
        targetRef: { kind: "Pod", name },
      }));
      const items = /\/pods\?/.test(path) ? pods : path.includes("/endpointslices") ? [{ endpoints }] : [];
      return Promise.resolve(schema.parse(path.includes("/deployments/") ? deployment : { items }));
    }
    text = (): Promise<string> => Promise.resolve("");
    close = (): void => undefined;
  }
  return { ...real, KubeClient };
});

const GOOD = "registry.example.com/web:2";
const EVICTED = { phase: "Failed", reason: "Evicted", message: "The node was low on resource: memory." };
const waiting = (reason: string, message?: string): object => ({
  phase: "Pending",
  containerStatuses: [{ name: "main", ready: false, state: { waiting: { reason, message } } }],
});
const pod = (name: string, status: object, image = GOOD): object => ({
  metadata: { name, namespace: "default", labels: { app: "web", "podnet.dev/service": "web" } },
  spec: { nodeName: "w1", containers: [{ name: "main", image }] },
  status,
});
const deployment = (image: string, status: object): object => ({
  metadata: { generation: 2 },
  spec: { template: { spec: { containers: [{ name: "main", image }] } } },
  status: { observedGeneration: 2, ...status },
});
const wait = (more: object = {}): Promise<string[]> =>
  waitForEndpoints({
    ...{ kubeconfig: "", namespace: "default", name: "web", selector: { app: "web" }, replicas: 1, timeout: 1 },
    ...more,
  });

beforeEach(() => {
  cluster = () => ({ pods: [] });
});

test("pods that ended do not hide the one that cannot start", async () => {
  cluster = () => ({
    pods: [
      ...["a", "b", "c", "d", "e"].map((name) => pod(`web-${name}`, EVICTED)),
      pod("web-z", waiting("ImagePullBackOff", "pull access denied")),
    ],
    deployment: deployment(GOOD, { replicas: 1, updatedReplicas: 1 }),
  });
  await expect(wait()).rejects.toThrow(
    /^web-z on w1: ImagePullBackOff: pull access denied; service default\/web: 0 of 1 pods are ready \(waited 1 s\)$/,
  );
});

test("pods that ended are named where there is no other", async () => {
  cluster = () => ({
    pods: [pod("web-a", EVICTED)],
    deployment: deployment(GOOD, { replicas: 1, updatedReplicas: 1 }),
  });
  await expect(wait()).rejects.toThrow(/^web-a on w1: Evicted: The node was low on resource: memory\.; /);
});
