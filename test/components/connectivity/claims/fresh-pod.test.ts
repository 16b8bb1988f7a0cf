import { expect, test } from "vitest";
import type { z } from "zod";
import type { Proving } from "../../../../components/connectivity/claims/claim";
import { freshPod } from "../../../../components/connectivity/claims/fresh-pod";
import { judge } from "../../../../components/connectivity/judge";
import type { Request } from "../../../../components/connectivity/request";
import type { KubeClient } from "../../../../components/kubernetes/client";
import { type Change, NO_PROMISE, ok, silent, world } from "../world";

interface Made {
  readonly name: string;
  readonly node: string;
  readonly run: string;
  readonly created?: string;
}

/** An API server whose kubelets give each new pod an address, and which notes what is deleted. */
class FakeApi {
  pods: Made[] = [];
  readonly deleted: string[] = [];

  constructor(private readonly statusOf: (node: string) => object | undefined) {}

  get client(): KubeClient {
    return this as unknown as KubeClient;
  }

  create(
    _: string,
    { metadata, spec }: { metadata: { name: string; labels: Record<string, string> }; spec: { nodeName: string } },
  ): Promise<void> {
    this.pods.push({ name: metadata.name, node: spec.nodeName, run: metadata.labels["podnet.dev/fresh"] ?? "" });
    return Promise.resolve();
  }

  delete(path: string): Promise<void> {
    this.deleted.push(decodeURIComponent(path));
    return Promise.resolve();
  }

  get(path: string, schema: z.ZodType): Promise<unknown> {
    const items = path.includes("/events")
      ? [{ type: "Warning", reason: "FailedCreatePodSandBox", message: 'plugin type="bridge" failed: no such file' }]
      : this.pods.map(({ name, node, run, created = new Date().toISOString() }) => ({
          metadata: {
            name,
            namespace: "podnet-check",
            labels: { "podnet.dev/fresh": run },
            creationTimestamp: created,
          },
          spec: { nodeName: node },
          status: this.statusOf(node) ?? {},
        }));
    return Promise.resolve(schema.parse({ items }));
  }
}

const ready = (ip: string): object => ({
  phase: "Running",
  podIP: ip,
  conditions: [{ type: "Ready", status: "True" }],
});
const sound = (node: string): object => ready(node === "cp" ? "10.244.0.50" : "10.244.1.50");
const NODES: Change = { nodes: ["cp", "w1"] };

/** What the claim proves with an API server and answers. */
async function proven(
  api: FakeApi,
  answerTo: (request: Request) => ReturnType<typeof ok> = ({ only }) => ok(only?.[0] ?? ""),
  change: Change = NODES,
): Promise<string[]> {
  const { facts } = world({ ...NODES, ...change });
  const verdicts = judge(facts);
  const proving: Proving = {
    ...facts,
    client: api.client,
    ask: (requests) => Promise.resolve(new Map(requests.map((request) => [request.id, answerTo(request)]))),
    say: () => undefined,
    verdictsOf: (id) => verdicts.get(id) ?? [],
  };
  return (await freshPod.prove(proving)).map(
    ({ source, target, status, seen }) =>
      `${source} -> ${target} ${status}: ${seen.replaceAll(/fresh-[0-9a-f]+/g, "fresh")}`,
  );
}

test("a new pod is made on every node, asked from its own node and the next, and taken away", async () => {
  const api = new FakeApi(sound);
  expect(await proven(api)).toEqual([
    "cp -> a new pod passed: it has 10.244.0.50",
    "w1 -> a new pod passed: it has 10.244.1.50",
    "cp/probe-a -> the new pod on cp passed: an answer of fresh-0",
    "w1/probe-a -> the new pod on cp passed: an answer of fresh-0",
    "w1/probe-a -> the new pod on w1 passed: an answer of fresh-1",
    "cp/probe-a -> the new pod on w1 passed: an answer of fresh-1",
  ]);
  const [run = ""] = [...new Set(api.pods.map((pod) => pod.run))];
  expect(api.pods.map(({ name }) => name)).toEqual([`fresh-${run}-0`, `fresh-${run}-1`]);
  expect(api.deleted).toEqual([`/api/v1/namespaces/podnet-check/pods?labelSelector=podnet.dev/fresh=${run}`]);
});

test("a pod that does not come is told with the reason that its node knows, and what came is asked all the same", async () => {
  const api = new FakeApi((node) => (node === "w1" ? {} : sound(node)));
  const lines = await proven(api);
  expect(lines[1]).toBe(
    'w1 -> a new pod failed: fresh-1 on w1: FailedCreatePodSandBox: plugin type="bridge" failed: no such file',
  );
  expect(lines.slice(2).map((line) => line.split(":")[0])).toEqual([
    "cp/probe-a -> the new pod on cp passed",
    "w1/probe-a -> the new pod on cp passed",
  ]);
  expect(api.deleted).toHaveLength(1);
}, 60_000);

test("an address outside the node's pod CIDR, and one that another pod has, are told", async () => {
  const api = new FakeApi((node) => ready(node === "cp" ? "10.88.0.2" : "10.244.1.2"));
  expect((await proven(api)).slice(0, 2)).toEqual([
    "cp -> a new pod failed: it has 10.88.0.2",
    "w1 -> a new pod failed: it has 10.244.1.2, which podnet-check/probe-a-w1 on w1 has too",
  ]);
});

test("another pod's answer, or none, is a failure; where the way itself is broken it is blocked", async () => {
  const [, , first, second] = await proven(new FakeApi(sound), ({ node }) => (node === "cp" ? ok("stranger") : silent));
  expect([first, second]).toEqual([
    "cp/probe-a -> the new pod on cp failed: an answer of stranger",
    "w1/probe-a -> the new pod on cp failed: no answer within 1.5 s",
  ]);
  const broken: Change = {
    answer: ({ claim, node, targetNode }, good) =>
      claim === "pod-to-pod" && node === "w1" && targetNode === "cp" ? silent : good,
  };
  const lines = await proven(new FakeApi(sound), ({ node }) => (node === "cp" ? ok("stranger") : silent), broken);
  expect(lines[3]).toBe("w1/probe-a -> the new pod on cp blocked: pod-to-pod from w1/probe-a to cp/probe-a failed");
});

test("no pod is made where no kubelet or container runtime runs: that is told at once", async () => {
  const api = new FakeApi(sound);
  const status: Change["status"] = (node, good) => ({
    ...good,
    units: good.units.map((unit) =>
      node === "w1" && unit.name === "kubelet" ? { ...unit, active: "inactive" } : unit,
    ),
  });
  const lines = await proven(api, undefined, { status });
  expect(lines.at(-1)).toBe("w1 -> a new pod blocked: as-made of w1 failed: kubelet is inactive");
  expect(api.pods.map(({ node }) => node)).toEqual(["cp"]);
});

test("what a killed run left is taken away before, and a run that is at work is spared", async () => {
  const api = new FakeApi(sound);
  const minutesAgo = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
  api.pods = [
    { name: "fresh-aaaaaa-cp", node: "cp", run: "aaaaaa", created: minutesAgo(11) },
    { name: "fresh-bbbbbb-cp", node: "cp", run: "bbbbbb", created: minutesAgo(9) },
  ];
  await freshPod.prepare(api.client);
  expect(api.deleted).toEqual(["/api/v1/namespaces/podnet-check/pods/fresh-aaaaaa-cp"]);
});

test("pods are taken away also where they cannot be asked, and the claim is promised by every network", async () => {
  const api = new FakeApi(sound);
  await expect(
    proven(api, () => {
      throw new Error("gone");
    }),
  ).rejects.toThrow("gone");
  expect(api.deleted).toHaveLength(1);
  expect(freshPod).not.toHaveProperty("exemption");
  expect(NO_PROMISE).not.toHaveLength(0);
});

test("a node that is full takes no pod, which says nothing of its network", async () => {
  const full = { phase: "Failed", reason: "OutOfpods", message: "Node didn't have enough resource: pods" };
  const api = new FakeApi((node) => (node === "w1" ? full : sound(node)));
  expect((await proven(api))[1]).toBe(
    "w1 -> a new pod not-applicable: w1 takes no more pods: fresh-1 on w1: OutOfpods: Node didn't have enough resource: pods",
  );
}, 60_000);
