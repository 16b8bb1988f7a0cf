import { z } from "zod";
import { type KubeClient, podsOf } from "../../kubernetes/client";
import { PROBE_NAMESPACE } from "../probes";
import type { Request } from "../request";
import type { Topology } from "../topology";
import { type Cause } from "./cause";
import { endpointsBehind } from "./flows";

/** A NetworkPolicy of somebody else's that holds back what probes send or get. */
export interface SeenPolicy {
  readonly name: string;
  /** Whether it holds back what comes in to its pods, and what they send. */
  readonly ingress: boolean;
  readonly egress: boolean;
  /** Names of the pods that it selects. */
  readonly pods: readonly string[];
}

const expression = z.looseObject({
  key: z.string(),
  operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]),
  values: z.array(z.string()).optional(),
});
const selector = z.looseObject({
  matchLabels: z.record(z.string(), z.string()).optional(),
  matchExpressions: z.array(expression).optional(),
});
const policyList = z.looseObject({
  items: z.array(
    z.looseObject({
      metadata: z.looseObject({ name: z.string() }),
      spec: z.looseObject({ podSelector: selector, policyTypes: z.array(z.string()).optional() }),
    }),
  ),
});

/** The NetworkPolicies in the check's own namespace, in which nobody but the check has any business. */
export async function policiesOnProbes(client: KubeClient): Promise<SeenPolicy[]> {
  const collection = `/apis/networking.k8s.io/v1/namespaces/${PROBE_NAMESPACE}/networkpolicies`;
  const [{ items }, pods] = await Promise.all([
    client.get(collection, policyList),
    podsOf(client, PROBE_NAMESPACE, {}),
  ]);
  return items.map(({ metadata, spec }) => ({
    name: `${PROBE_NAMESPACE}/${metadata.name}`,
    // The API server fills in the types that a policy leaves away.
    ingress: spec.policyTypes?.includes("Ingress") ?? true,
    egress: spec.policyTypes?.includes("Egress") ?? false,
    pods: pods.filter((pod) => selects(spec.podSelector, pod.metadata.labels)).map((pod) => pod.metadata.name),
  }));
}

function selects(
  { matchLabels = {}, matchExpressions = [] }: z.output<typeof selector>,
  labels: Readonly<Record<string, string>>,
): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      switch (operator) {
        case "Exists":
          return value !== undefined;
        case "DoesNotExist":
          return value === undefined;
        case "In":
          return value !== undefined && values.includes(value);
        case "NotIn":
          return value === undefined || !values.includes(value);
      }
    })
  );
}

/** The policy by which a request of a probe has no answer, where one selects either end of it. */
export function policyCause(
  request: Request | undefined,
  policies: readonly SeenPolicy[],
  topology: Topology,
): Cause | undefined {
  if (request === undefined || policies.length === 0 || !("address" in request.ask)) {
    return undefined;
  }
  const { address } = request.ask;
  const asked = [address, ...endpointsBehind(address, topology)];
  const onPods = topology.pods.filter(({ probe }) => probe !== "probe-host");
  const targets = onPods.filter(({ ip }) => asked.includes(ip)).map(({ name }) => name);
  const sender = onPods.find(({ node, probe }) => node === request.node && probe === request.probe)?.name;
  const found = policies.find(
    ({ ingress, egress, pods }) =>
      (ingress && targets.some((name) => pods.includes(name))) ||
      (egress && sender !== undefined && pods.includes(sender)),
  );
  return found && { place: `NetworkPolicy ${found.name}`, hop: "rules", text: "it holds back what the check asks" };
}
