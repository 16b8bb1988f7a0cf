import { expect, test } from "vitest";
import type { z } from "zod";
import { endpoints } from "../../../components/connectivity/claims/endpoints";
import { hairpin } from "../../../components/connectivity/claims/hairpin";
import { networkPolicy, STAGES } from "../../../components/connectivity/claims/network-policy";
import type { Proving } from "../../../components/connectivity/claims/claim";
import type { Answer } from "../../../components/connectivity/driver";
import { judge } from "../../../components/connectivity/judge";
import type { Request } from "../../../components/connectivity/request";
import { lookAt, withoutLeft, withoutLeftServers } from "../../../components/connectivity/services/look";
import { ApiError, type KubeClient } from "../../../components/kubernetes/client";
import { ok, silent, WEB, world } from "./world";

interface FakePod {
  readonly name: string;
  readonly node: string;
  labels: Record<string, string>;
  readonly ready?: boolean;
  readonly leaving?: boolean;
  readonly phase?: string;
}

/** As much of an API server as the check needs: pods, and endpoints that follow the labels that `selectors` say. */
class FakeApi {
  readonly log: string[] = [];
  readonly policies = new Set<string>();

  constructor(
    readonly pods: FakePod[],
    readonly selectors: Readonly<Record<string, Record<string, string>>>,
    readonly publishNotReady = false,
  ) {}

  get client(): KubeClient {
    return this as unknown as KubeClient;
  }

  get(path: string, schema: z.ZodType): Promise<unknown> {
    return Promise.resolve(schema.parse(this.#read(new URL(path, "https://api"))));
  }

  patch(path: string, { metadata }: { metadata: { labels: Record<string, string | null> } }): Promise<void> {
    const name = path.replace(/.*\//, "");
    this.log.push(`${name} ${JSON.stringify(metadata.labels)}`);
    for (const pod of this.pods.filter((candidate) => candidate.name === name)) {
      const merged = Object.entries({ ...pod.labels, ...metadata.labels });
      pod.labels = Object.fromEntries(merged.flatMap(([key, value]) => (value === null ? [] : [[key, value]])));
    }
    return Promise.resolve();
  }

  create(_: string, { metadata }: { metadata: { name: string } }): Promise<void> {
    this.log.push(`create ${metadata.name}`);
    this.policies.add(metadata.name);
    return Promise.resolve();
  }

  delete(path: string): Promise<void> {
    this.policies.delete(path.replace(/.*\//, ""));
    return Promise.resolve();
  }

  #matching(selector: Record<string, string>): FakePod[] {
    return this.pods.filter(({ labels }) => Object.entries(selector).every(([key, value]) => labels[key] === value));
  }

  #read({ pathname, searchParams }: URL): unknown {
    const text = searchParams.get("labelSelector") ?? "";
    const pairs = text === "" ? [] : text.split(",").map((part) => part.split("="));
    const selector = Object.fromEntries(pairs) as Record<string, string>;
    if (pathname.includes("/services/")) {
      return { spec: { selector: this.selectors[pathname.replace(/.*\//, "")] } };
    }
    if (pathname.endsWith("/endpointslices")) {
      const members = this.#matching(this.selectors[selector["kubernetes.io/service-name"] ?? ""] ?? { none: "" });
      return {
        items: [
          {
            endpoints: members
              .filter(({ phase }) => phase !== "Succeeded")
              .map(({ name, ready = true, leaving = false }) => ({
                addresses: ["10.0.0.1"],
                conditions: { ready: this.publishNotReady || (ready && !leaving) },
                targetRef: { kind: "Pod", name },
              })),
          },
        ],
      };
    }
    return {
      items: this.#matching(selector).map(
        ({ name, node, labels, ready = true, leaving = false, phase = "Running" }) => ({
          metadata: { name, namespace: "n", labels, ...(leaving && { deletionTimestamp: "2026-01-01T00:00:00Z" }) },
          spec: { nodeName: node },
          status: {
            phase,
            podIP: `10.244.0.${name.replace(/\D/g, "")}`,
            conditions: [{ type: "Ready", status: ready && phase === "Running" ? "True" : "False" }],
          },
        }),
      ),
    };
  }
}

const { facts, pods } = world({ nodes: ["cp", "w1"] });
const probes = (): FakePod[] =>
  pods.map(({ probe, name, node }) => ({ name, node, labels: { "podnet.dev/probe": probe } }));
const SELECTORS = {
  probe: { "podnet.dev/member": "yes" },
  hairpin: { "podnet.dev/probe": "probe-b" },
};
const proving = (api: FakeApi, ask: Proving["ask"]): Proving => {
  const verdicts = judge(facts);
  return { ...facts, client: api.client, ask, say: () => undefined, verdictsOf: (id) => verdicts.get(id) ?? [] };
};

test("probes get the labels that the check's Services select by, where they have none", async () => {
  const api = new FakeApi(probes(), SELECTORS);
  await endpoints.prepare(api.client, pods, facts.topology.coverage);
  await hairpin.prepare(api.client, pods);
  expect(api.log).toEqual(['probe-a-cp {"podnet.dev/member":"yes"}', 'probe-a-w1 {"podnet.dev/member":"yes"}']);
  await endpoints.prepare(api.client, pods, facts.topology.coverage);
  await hairpin.prepare(api.client, pods);
  expect(api.log).toHaveLength(2);
});

test("a pod is taken out of its Service, the nodes are asked meanwhile, and it is put back", async () => {
  const api = new FakeApi(probes(), SELECTORS);
  await endpoints.prepare(api.client, pods, facts.topology.coverage);
  api.log.length = 0;
  const asked: string[] = [];
  const verdicts = await endpoints.prove(
    proving(api, (requests) => {
      asked.push(...requests.map(({ node, ask }) => `${node} ${ask.protocol}`));
      return Promise.resolve(new Map(requests.map(({ id }) => [id, ok("probe-a-w1")])));
    }),
  );
  expect(api.log).toEqual(['probe-a-cp {"podnet.dev/member":null}', 'probe-a-cp {"podnet.dev/member":"yes"}']);
  expect(asked).toEqual(["cp TCP", "w1 TCP"]);
  expect(verdicts.map(({ source, target, status }) => `${source} -> ${target} ${status}`)).toEqual([
    "probe -> before passed",
    "probe -> without probe-a-cp passed",
    "probe -> put back passed",
    "cp/probe-b -> without probe-a-cp passed",
    "w1/probe-b -> without probe-a-cp passed",
  ]);
});

test("a node whose kube-proxy takes some seconds to follow, as on a machine that has much to do, is waited for", async () => {
  const api = new FakeApi(probes(), SELECTORS);
  await endpoints.prepare(api.client, pods, facts.topology.coverage);
  const began = Date.now();
  const verdicts = await endpoints.prove(
    proving(api, (requests) => {
      const now = Date.now() - began < 6000 ? ok("probe-a-cp", "probe-a-w1") : ok("probe-a-w1");
      return Promise.resolve(new Map(requests.map(({ id }) => [id, now])));
    }),
  );
  expect(verdicts.map(({ status }) => status)).toEqual(["passed", "passed", "passed", "passed", "passed"]);
}, 30_000);

test("a pod is put back also when the nodes cannot be asked", async () => {
  const api = new FakeApi(probes(), SELECTORS);
  await endpoints.prepare(api.client, pods, facts.topology.coverage);
  await expect(endpoints.prove(proving(api, () => Promise.reject(new Error("gone"))))).rejects.toThrow("gone");
  expect(api.log.at(-1)).toBe('probe-a-cp {"podnet.dev/member":"yes"}');
});

test("policies are added step by step, every pair is asked at each, and none is left", async () => {
  const api = new FakeApi(probes(), SELECTORS);
  const stage = () => STAGES[api.policies.size === 0 ? 2 : api.policies.size - 1];
  const let_ = ({ probe, target, ask }: Request): boolean =>
    stage()?.allows(probe, target.slice(target.indexOf("/") + 1), ask.protocol) === true;
  const verdicts = await networkPolicy.prove(
    proving(api, (requests) =>
      Promise.resolve(new Map(requests.map((request) => [request.id, let_(request) ? ok("x") : silent]))),
    ),
  );
  expect(api.log).toEqual(["create podnet-check-deny", "create podnet-check-allow"]);
  expect(api.policies.size).toBe(0);
  expect(verdicts).toHaveLength(3 * 24);
  expect(verdicts.every(({ status }) => status === "passed")).toBe(true);
});

test("policies are taken away also when the pairs cannot be asked", async () => {
  const api = new FakeApi(probes(), SELECTORS);
  await expect(networkPolicy.prove(proving(api, () => Promise.reject(new Error("gone"))))).rejects.toThrow("gone");
  expect(api.policies.size).toBe(0);
});

const WEB_PODS: FakePod[] = [
  { name: "web-1", node: "cp", labels: { app: "web" } },
  { name: "web-2", node: "w1", labels: { app: "web" }, ready: false },
  { name: "web-3", node: "w1", labels: { app: "web" }, leaving: true },
  { name: "web-4", node: "w1", labels: { app: "web" }, phase: "Succeeded" },
  { name: "shop-5", node: "w1", labels: { app: "shop" } },
];

test("a Service is seen with its ready pods", async () => {
  const api = new FakeApi(WEB_PODS, { web: { app: "web" } });
  expect(await lookAt(api.client, WEB)).toEqual({
    name: "default/web",
    selector: { app: "web" },
    pods: ["web-1"],
    endpoints: ["web-1"],
    places: { "web-1": { node: "cp", ip: "10.244.0.1", ready: true } },
  });
});

test("a Service that publishes pods which are not ready is seen with all that run, those on their way out too", async () => {
  const api = new FakeApi(WEB_PODS, { web: { app: "web" } }, true);
  const seen = await lookAt(api.client, { ...WEB, publishNotReadyAddresses: true });
  expect(seen?.pods).toEqual(["web-1", "web-2", "web-3"]);
  expect(seen?.endpoints).toEqual(["web-1", "web-2", "web-3"]);
  expect(Object.entries(seen?.places ?? {}).map(([name, { ready }]) => [name, ready])).toEqual([
    ["web-1", true],
    ["web-2", false],
    ["web-3", false],
  ]);
});

/** An API server that has the pods and fails for what a path ends with. */
function failing(end: RegExp, error: Error, times = Infinity): KubeClient {
  const api = new FakeApi(WEB_PODS, { web: { app: "web" } });
  let failed = 0;
  const get = (path: string, schema: z.ZodType): Promise<unknown> =>
    end.test(path) && failed++ < times ? Promise.reject(error) : api.get(path, schema);
  return { get } as unknown as KubeClient;
}
const SILENT = new Error("GET https://192.0.2.10:6443/api/v1/namespaces/default/pods: no answer within 5000 ms");

test("a Service that is not there is seen as such", async () => {
  const gone = new ApiError(404, 'GET /api/v1/namespaces/default/services/web: 404 services "web" not found');
  expect(await lookAt(failing(/services\/web$/, gone), WEB)).toBeUndefined();
});

test("a Service that cannot be looked at is no Service without endpoints: the check could not run", async () => {
  await expect(lookAt(failing(/pods\?/, SILENT), WEB)).rejects.toThrow(
    "service default/web cannot be looked at: GET https://192.0.2.10:6443/api/v1/namespaces/default/pods: no answer within 5000 ms; when that is mended, run the check again",
  );
});

test("a Service is looked at again where the API server did not answer once", async () => {
  expect((await lookAt(failing(/./, SILENT, 1), WEB))?.pods).toEqual(["web-1"]);
});

test("of a pod that was replaced while it was asked nothing is said, and of one that stays that it does not answer", async () => {
  const to = (id: string, pod?: string, service = "default/web"): Request => ({
    ...{
      id,
      claim: "service",
      node: "cp",
      probe: "probe-b",
      source: "cp/probe-b",
      target: `${service} at ${pod ?? "all"}`,
    },
    ask: { kind: "connect", protocol: "TCP", address: "10.244.0.1", port: 8080 },
    service,
    ...(pod !== undefined && { pod }),
  });
  const requests = [to("1", "web-1"), to("2", "web-0"), to("3"), to("4", "web-2"), to("5", "web-9")];
  const refused: Answer = { ok: false, error: "connection refused" };
  const connected: Answer = { ok: true, values: [], errors: [] };
  const answers = new Map<string, Answer>([
    ["1", refused],
    ["2", refused],
    ["3", refused],
    ["4", refused],
    ["5", connected],
  ]);
  const api = new FakeApi(WEB_PODS, { web: { app: "web" } });
  const kept = await withoutLeft(api.client, [WEB], requests, answers);
  expect(kept.map(({ id }) => id)).toEqual(["1", "3", "5"]);
  // Where every pod answered, nothing is looked at again.
  const all = new Map(requests.map(({ id }) => [id, connected]));
  expect(await withoutLeft(failing(/./, SILENT), [WEB], requests, all)).toBe(requests);
});

test("of a DNS server that was replaced while it was asked nothing is said, and of one that stays that it does not answer", async () => {
  const to = (id: string, pod?: string): Request => ({
    ...{ id, claim: "dns", node: "cp", probe: "probe-b", source: "cp/probe-b", target: "name" },
    ask: { kind: "resolve", protocol: "UDP", name: "a.svc", ...(pod !== undefined && { server: "10.244.0.9" }) },
    ...(pod !== undefined && { pod }),
  });
  const requests = [to("1"), to("2", "coredns-1"), to("3", "coredns-0"), to("4", "coredns-9")];
  const unresolved: Answer = { ok: false, error: "the name does not resolve" };
  const answers = new Map<string, Answer>(requests.map(({ id }) => [id, id === "4" ? ok("10.96.1.1") : unresolved]));
  const api = new FakeApi([{ name: "coredns-1", node: "cp", labels: { "k8s-app": "kube-dns" } }], {});
  const kept = await withoutLeftServers(api.client, requests, answers);
  expect(kept.map(({ id }) => id)).toEqual(["1", "2", "4"]);
});
