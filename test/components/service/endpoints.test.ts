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
const READY = { phase: "Running", podIP: "10.244.1.9", conditions: [{ type: "Ready", status: "True" }] };
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

const BAD = "registry.example.com/Web";
const INVALID = waiting("InvalidImageName", "invalid reference format");
const old = ["a", "b", "c", "d", "e"].map((name) => pod(`web-old-${name}`, INVALID, BAD));

test("an image name that none can have ends the wait at once, while it is the declared one", async () => {
  cluster = () => ({ pods: old, deployment: deployment(BAD, { replicas: 5, updatedReplicas: 5 }) });
  await expect(wait({ replicas: 5, timeout: 60 })).rejects.toThrow(
    /^web-old-a on w1: InvalidImageName: invalid reference format; .* 0 of 5 pods are ready \(which no waiting mends\)$/,
  );
});

test("pods of an earlier form with such a name do not end the wait for those of the mended one", async () => {
  let looks = 0;
  cluster = () =>
    ++looks < 9
      ? {
          pods: [...old, pod("web-new", waiting("ContainerCreating"))],
          deployment: deployment(GOOD, { replicas: 6, updatedReplicas: 1 }),
        }
      : { pods: [pod("web-new", READY)], deployment: deployment(GOOD, { replicas: 1, updatedReplicas: 1 }) };
  expect(await wait({ timeout: 60 })).toEqual(["web-new"]);
});

test("pods of an earlier form do not hide why those of the present one do not start", async () => {
  cluster = () => ({
    pods: [...old, pod("web-present", waiting("ImagePullBackOff", "pull access denied"))],
    deployment: deployment(GOOD, { replicas: 6, updatedReplicas: 1 }),
  });
  await expect(wait()).rejects.toThrow(
    /^web-present on w1: ImagePullBackOff: pull access denied; deployment default\/web: 5 pods of its earlier form are still there \(waited 1 s\)$/,
  );
});

test("somebody else's pods with such a name are waited for: their owner may mend it", async () => {
  cluster = () => ({ pods: old.map((one) => ({ ...one, metadata: { name: "theirs", namespace: "default" } })) });
  await expect(wait({ replicas: undefined })).rejects.toThrow(
    /^theirs on w1: InvalidImageName: invalid reference format; .*\(waited 1 s\)$/,
  );
});
