import { z } from "zod";
import type { KubeClient } from "../kubernetes/client";
import { POLICY_ADVICE } from "../network/definition";
import type { CheckInput } from "./input";

const policyList = z.looseObject({
  items: z.array(z.looseObject({ metadata: z.looseObject({ name: z.string(), namespace: z.string() }) })),
});

/** A warning for each NetworkPolicy of the cluster that nothing enforces. */
export async function idlePolicies(client: KubeClient, input: CheckInput): Promise<string[]> {
  if (input.network.enforcesPolicy) {
    return [];
  }
  const { items } = await client.get("/apis/networking.k8s.io/v1/networkpolicies", policyList);
  return items.map(
    ({ metadata }) => `NetworkPolicy ${metadata.namespace}/${metadata.name} has no effect: ${POLICY_ADVICE}`,
  );
}
