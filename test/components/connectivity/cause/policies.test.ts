import { expect, test } from "vitest";
import type { z } from "zod";
import { policiesOnProbes } from "../../../../components/connectivity/cause/policies";
import type { KubeClient } from "../../../../components/kubernetes/client";

const pod = (name: string, labels: Record<string, string>) => ({
  metadata: { name, namespace: "podnet-check", labels },
  spec: { nodeName: "w1" },
  status: { phase: "Running", podIP: "10.244.1.2", conditions: [] },
});
const PODS = [
  pod("a", { "podnet.dev/probe": "probe-a", tier: "front" }),
  pod("b", { "podnet.dev/probe": "probe-b", tier: "back" }),
  pod("c", {}),
];

/** An API server with these pods, and one policy of this spec in their namespace. */
function api(spec: object, asked: string[] = []): KubeClient {
  const get = (path: string, schema: z.ZodType): Promise<unknown> => {
    asked.push(path.replace(/\?.*/, ""));
    const items = path.includes("networkpolicies") ? [{ metadata: { name: "deny" }, spec }] : PODS;
    return Promise.resolve(schema.parse({ items }));
  };
  return { get } as unknown as KubeClient;
}

test("the policies of the check's own namespace are seen, with what they hold back", async () => {
  const asked: string[] = [];
  expect(await policiesOnProbes(api({ podSelector: {}, policyTypes: ["Egress"] }, asked))).toEqual([
    { name: "podnet-check/deny", ingress: false, egress: true, pods: ["a", "b", "c"] },
  ]);
  expect(asked.sort()).toEqual([
    "/api/v1/namespaces/podnet-check/pods",
    "/apis/networking.k8s.io/v1/namespaces/podnet-check/networkpolicies",
  ]);
  expect(await policiesOnProbes(api({ podSelector: {}, policyTypes: ["Ingress", "Egress"] }))).toMatchObject([
    { ingress: true, egress: true },
  ]);
});

const tier = (operator: string, ...values: string[]) => ({ matchExpressions: [{ key: "tier", operator, values }] });

test.each([
  ["labels", { matchLabels: { "podnet.dev/probe": "probe-a" } }, ["a"]],
  ["labels, none of which is there", { matchLabels: { "podnet.dev/probe": "probe-a", tier: "back" } }, []],
  ["a value of some", tier("In", "front", "other"), ["a"]],
  ["a value of none of some, or none at all", tier("NotIn", "front"), ["b", "c"]],
  ["a key", tier("Exists"), ["a", "b"]],
  ["a key that is not there", tier("DoesNotExist"), ["c"]],
])("a policy selects pods by %s", async (_, podSelector, pods) => {
  expect(await policiesOnProbes(api({ podSelector }))).toEqual([
    { name: "podnet-check/deny", ingress: true, egress: false, pods },
  ]);
});
