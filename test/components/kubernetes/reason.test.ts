import { describe, expect, test } from "vitest";
import type { z } from "zod";
import { type Pod, podList } from "../../../components/kubernetes/client";
import {
  isHopeless,
  laggards,
  type NodeObject,
  nodeTroubles,
  podReason,
  reasonOf,
} from "../../../components/kubernetes/reason";

/** A pod of a status, as the API server tells it. */
function pod(status: object, spec: object = { nodeName: "w1" }, metadata: object = {}): Pod {
  const { items } = podList.parse({
    items: [{ metadata: { name: "web-1", namespace: "default", ...metadata }, spec, status }],
  });
  if (!items[0]) {
    throw new Error("no pod");
  }
  return items[0];
}

const container = (state: object, more: object = {}): object => ({ name: "main", ready: false, state, ...more });
const ended = (exitCode: number, more: object = {}): object => ({ terminated: { exitCode, reason: "Error", ...more } });

const node = (...conditions: object[]): NodeObject => ({
  metadata: { name: "w1" },
  status: { conditions: conditions as NodeObject["status"]["conditions"] },
});
const ready = { type: "Ready", status: "True", message: "kubelet is posting ready status" };

test.each<[string, Pod, Parameters<typeof podReason>[1], string]>([
  [
    "an image that cannot be had",
    pod({
      phase: "Pending",
      containerStatuses: [
        container({ waiting: { reason: "ImagePullBackOff", message: 'Back-off pulling image "x:1"' } }),
      ],
    }),
    {},
    'web-1 on w1: ImagePullBackOff: Back-off pulling image "x:1"',
  ],
  [
    "a crash, by the last line of the container's log",
    pod({
      phase: "Running",
      containerStatuses: [
        container(
          {
            waiting: { reason: "CrashLoopBackOff", message: "back-off 10s restarting failed container=main pod=web-1" },
          },
          { lastState: ended(1) },
        ),
      ],
    }),
    { log: "panic: no such port" },
    "web-1 on w1: CrashLoopBackOff; container main ended with exit code 1; its last line: panic: no such port",
  ],
  [
    "a crash whose log is gone",
    pod({
      phase: "Running",
      containerStatuses: [container({ waiting: { reason: "CrashLoopBackOff" } }, { lastState: ended(2) })],
    }),
    { log: "" },
    "web-1 on w1: CrashLoopBackOff; container main ended with exit code 2",
  ],
  [
    "too much memory",
    pod({ phase: "Running", containerStatuses: [container(ended(137, { reason: "OOMKilled" }))] }),
    {},
    "web-1 on w1: container main ended with OOMKilled, exit code 137",
  ],
  [
    "a first container that fails",
    pod({
      phase: "Pending",
      initContainerStatuses: [{ ...container(ended(3, { message: "no config\n" })), name: "setup" }],
      containerStatuses: [container({ waiting: { reason: "PodInitializing" } })],
    }),
    {},
    "web-1 on w1: container setup ended with exit code 3 (no config)",
  ],
  [
    "no node that takes it",
    pod(
      {
        phase: "Pending",
        conditions: [
          {
            type: "PodScheduled",
            status: "False",
            reason: "Unschedulable",
            message: "0/2 nodes are available: 2 Insufficient cpu.",
          },
        ],
      },
      {},
    ),
    {},
    "web-1: Unschedulable: 0/2 nodes are available: 2 Insufficient cpu.",
  ],
  [
    "an eviction, with the node's pressure first",
    pod({ phase: "Failed", reason: "Evicted", message: "The node was low on resource: ephemeral-storage." }),
    { node: node({ type: "DiskPressure", status: "True", message: "kubelet has disk pressure" }, ready) },
    "node w1 has DiskPressure: kubelet has disk pressure; web-1 on w1: Evicted: The node was low on resource: ephemeral-storage.",
  ],
  [
    "a dead kubelet, under a pod that still counts as running",
    pod({ phase: "Running", containerStatuses: [container({ running: {} })] }),
    { node: node({ type: "Ready", status: "Unknown", message: "Kubelet stopped posting node status." }) },
    "node w1 is not Ready: Kubelet stopped posting node status.; web-1 on w1: container main is not ready",
  ],
  [
    "a probe that fails, by the cluster's events",
    pod({ phase: "Running", containerStatuses: [container({ running: {} })] }),
    { warning: "Unhealthy: Readiness probe failed: connection refused", node: node(ready) },
    "web-1 on w1: Unhealthy: Readiness probe failed: connection refused",
  ],
  [
    "a pod that gets no network, by the cluster's events",
    pod({ phase: "Pending", containerStatuses: [container({ waiting: { reason: "ContainerCreating" } })] }),
    { warning: "FailedCreatePodSandBox: plugin type=bridge failed: no IP addresses available" },
    "web-1 on w1: FailedCreatePodSandBox: plugin type=bridge failed: no IP addresses available",
  ],
  [
    "a pod that has only begun",
    pod({ phase: "Pending", containerStatuses: [container({ waiting: { reason: "ContainerCreating" } })] }),
    {},
    "web-1 on w1: its containers are being made",
  ],
  [
    "a pod whose image is being pulled",
    pod({ phase: "Pending", containerStatuses: [container({ waiting: { reason: "ContainerCreating" } })] }),
    { doing: 'Pulling image "x:1"' },
    'web-1 on w1: its containers are being made: Pulling image "x:1"',
  ],
  [
    "a pod that is on its way out",
    pod(
      { phase: "Running", containerStatuses: [container({ running: {} })] },
      { nodeName: "w1" },
      { deletionTimestamp: "now" },
    ),
    {},
    "web-1 on w1: it is on its way out",
  ],
  ["a pod that no kubelet has seen", pod({ phase: "Pending" }), {}, "web-1 on w1: the node has not begun with it yet"],
  ["a pod without a node yet", pod({ phase: "Pending" }, {}), {}, "web-1: no node was chosen for it yet"],
])("the reason of a pod that is not ready: %s", (_, one, known, reason) => {
  expect(podReason(one, known)).toBe(reason);
});

describe("the cluster's events about a pod", () => {
  const making = pod({
    phase: "Pending",
    containerStatuses: [container({ waiting: { reason: "ContainerCreating" } })],
  });
  const event = (minute: number, type: string, reason: string, message: string): object => ({
    ...{ type, reason, message },
    lastTimestamp: `2026-01-01T00:0${String(minute)}:00Z`,
  });
  const pulling = event(2, "Normal", "Pulling", 'Pulling image "x:1"');
  const reasonBy = (...items: object[]): Promise<string> => {
    const client = {
      text: () => Promise.reject(new Error("no log")),
      get: <T extends z.ZodType>(path: string, schema: T): Promise<z.output<T>> => {
        const fields = new URL(path, "https://api").searchParams.get("fieldSelector");
        expect(fields).toBe("involvedObject.kind=Pod,involvedObject.name=web-1");
        return Promise.resolve(schema.parse({ items }));
      },
    };
    return reasonOf(client, making);
  };

  test("tell that its image is being pulled, until that is over", async () => {
    expect(await reasonBy(pulling, event(1, "Normal", "Scheduled", "assigned"))).toBe(
      'web-1 on w1: its containers are being made: Pulling image "x:1"',
    );
    expect(await reasonBy(pulling, event(3, "Normal", "Pulled", "pulled"))).toBe(
      "web-1 on w1: its containers are being made",
    );
  });

  test("tell the newest warning, whatever else there is", async () => {
    const warnings = [event(4, "Warning", "Failed", "new"), event(1, "Warning", "FailedMount", "old")];
    expect(await reasonBy(...warnings, pulling)).toBe("web-1 on w1: Failed: new");
  });
});

test.each([
  ["panic: no such port\n", "; its last line: panic: no such port"],
  ["unable to retrieve container logs for containerd://1f45", ""],
])("a crash of which the node has as its log: %s", async (log, told) => {
  const crashed = pod({ phase: "Running", containerStatuses: [container(ended(1))] });
  const client = {
    text: () => Promise.resolve(log),
    get: <T extends z.ZodType>(_: string, schema: T): Promise<z.output<T>> =>
      Promise.resolve(schema.parse({ items: [] })),
  };
  expect(await reasonOf(client, crashed)).toBe(`web-1 on w1: container main ended with exit code 1${told}`);
});

test("a node tells each of its conditions that is wrong, and nothing where all is well", () => {
  expect(
    nodeTroubles(
      node(
        { type: "MemoryPressure", status: "True", message: "kubelet has insufficient memory available" },
        { type: "PIDPressure", status: "False", message: "kubelet has sufficient PID available" },
        { type: "Ready", status: "False", message: "container runtime is down" },
      ),
    ),
  ).toEqual([
    "node w1 has MemoryPressure: kubelet has insufficient memory available",
    "node w1 is not Ready: container runtime is down",
  ]);
  expect(nodeTroubles(node(ready))).toEqual([]);
});

test("only an image whose name no registry can have is beyond hope", () => {
  const waiting = (reason: string): Pod => pod({ containerStatuses: [container({ waiting: { reason } })] });
  expect(isHopeless(waiting("InvalidImageName"))).toBe(true);
  expect(isHopeless(waiting("ImagePullBackOff"))).toBe(false);
  expect(isHopeless(pod({}))).toBe(false);
});

test("the pods that are waited for are not those that ended or go, unless there is no other", () => {
  const named = (name: string, status: object, more: object = {}): Pod => pod(status, {}, { name, ...more });
  const ended = [named("evicted", { phase: "Failed" }), named("done", { phase: "Succeeded" })];
  const going = named("going", { phase: "Running" }, { deletionTimestamp: "2026-01-01T00:00:00Z" });
  const good = named("good", { conditions: [{ type: "Ready", status: "True" }] });
  const names = (...pods: Pod[]): string[] => laggards(pods).map(({ metadata }) => metadata.name);
  expect(names(...ended, going, good, named("late", { phase: "Pending" }))).toEqual(["late"]);
  expect(names(...ended, going, good)).toEqual(["evicted", "done", "going"]);
  expect(names(good)).toEqual([]);
});
