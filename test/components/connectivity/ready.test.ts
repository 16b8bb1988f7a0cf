import { expect, test } from "vitest";
import type { z } from "zod";
import { readyDns, settledProbes } from "../../../components/connectivity/ready";
import type { KubeClient } from "../../../components/kubernetes/client";
import { world } from "./world";

const READY = { conditions: [{ type: "Ready", status: "True" }], phase: "Running", podIP: "10.244.0.9" };
const EVICTED = { phase: "Failed", reason: "Evicted", message: "The node was low on resource: memory." };
const PULLING = {
  phase: "Pending",
  containerStatuses: [
    { name: "main", ready: false, state: { waiting: { reason: "ImagePullBackOff", message: "no such image" } } },
  ],
};

const pod = (name: string, status: object, labels: object = {}): object => ({
  metadata: { name, namespace: "kube-system", labels },
  spec: { nodeName: "cp" },
  status,
});

/** An API server that has these pods at each look, and one node. */
function having(look: () => readonly object[]): KubeClient {
  const get = (path: string, schema: z.ZodType): Promise<unknown> => {
    const nodes = [{ metadata: { name: "cp" }, status: { conditions: [] } }];
    return Promise.resolve(
      schema.parse({ items: /\/pods\?/.test(path) ? look() : path.endsWith("/nodes") ? nodes : [] }),
    );
  };
  return { get, text: () => Promise.resolve("") } as unknown as KubeClient;
}
const silently = (line: string): void => {
  throw new Error(`said: ${line}`);
};

test("the cluster's DNS is ready beside pods of it that ended", async () => {
  const done = { phase: "Succeeded", conditions: [{ type: "Ready", status: "False" }] };
  const client = having(() => [pod("coredns-1", EVICTED), pod("coredns-2", READY), pod("coredns-3", done)]);
  expect(await readyDns(client, silently)).toEqual({
    nodes: ["cp"],
    pods: [{ name: "coredns-2", node: "cp", ip: "10.244.0.9" }],
  });
});

test("the reason is said while the cluster's DNS is waited for, and not that of a pod that ended", async () => {
  const said: string[] = [];
  // It is ready as soon as its reason was said, however slow the machine is.
  const client = having(() => [pod("coredns-1", EVICTED), pod("coredns-2", said.length === 0 ? PULLING : READY)]);
  expect(await readyDns(client, (line) => said.push(line))).toEqual({
    nodes: ["cp"],
    pods: [{ name: "coredns-2", node: "cp", ip: "10.244.0.9" }],
  });
  expect(said.map((line) => line.replace(/\(\d+ s/, "(N s"))).toEqual([
    "the cluster's DNS is not ready: coredns-2 on cp: ImagePullBackOff: no such image (N s of 60 s)",
  ]);
});

test("a probe's cause is that of the pod that should be it, and not of one that was evicted before", async () => {
  const { input } = world({ nodes: ["cp"] });
  const probe = (name: string, status: object, kind = "probe-a"): object =>
    pod(name, status, { "podnet.dev/probe": kind });
  const client = having(() => [
    probe("probe-a-1", PULLING),
    probe("probe-a-2", EVICTED),
    probe("probe-b-1", READY, "probe-b"),
    probe("probe-host-1", READY, "probe-host"),
  ]);
  await expect(settledProbes(client, new Map(), input, () => undefined)).rejects.toThrow(
    "probes are not ready after 1 s: probe-a-1 on cp: ImagePullBackOff: no such image",
  );
});
