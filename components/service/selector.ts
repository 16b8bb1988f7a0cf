import { type Labels, selectorText } from "../kubernetes/selector";

/** Label that podnet gives the pods of a SelectedService's own workload; its value is the service's name. */
export const SERVICE_LABEL = "podnet.dev/service";

/** Namespace of everything that the connectivity check deploys, which it makes and removes. */
export const CHECK_NAMESPACE = "podnet-check";

/** One pod behind a service, as the endpoints' check sees it. */
export interface SeenPod {
  readonly name: string;
  readonly labels: Labels;
  readonly ready: boolean;
  /** Whether it runs at an address, ready or not. */
  readonly running: boolean;
}

/** What the endpoints' check expects of a service. */
export interface Expected {
  readonly namespace: string;
  readonly name: string;
  readonly selector: Labels;
  /** Number of pods of the service's own workload; without one the pods are somebody else's. */
  readonly replicas?: number | undefined;
  /** Whether pods that are not ready are endpoints too. */
  readonly publishNotReadyAddresses?: boolean | undefined;
}

/**
 * Judges a service by the pods that its selector matches and the endpoints it has: the reason why it is wrong for good, the
 * reason to wait longer, or neither.
 */
export function judgeEndpoints(
  expected: Expected,
  pods: readonly SeenPod[],
  endpoints: readonly string[],
): { readonly wrong?: string; readonly wait?: string } {
  const where = `service ${expected.namespace}/${expected.name}`;
  const text = selectorText(expected.selector);
  const foreign = pods.filter(({ labels }) => {
    const owner = labels[SERVICE_LABEL];
    return expected.replicas === undefined ? owner !== undefined && owner !== expected.name : owner !== expected.name;
  });
  if (foreign.length > 0) {
    const names = foreign.map(({ name, labels }) => {
      const owner = labels[SERVICE_LABEL];
      return owner === undefined ? name : `${name} of service ${owner}`;
    });
    return {
      wrong: `${where}: selector ${text} matches pods of another owner: ${names.sort().join(", ")}; choose labels that only its own pods have; if that is this SelectedService by its old name, give it that name by \`aliases\``,
    };
  }
  // A workload that is no longer declared goes after this check, and its pods with it.
  const leaving =
    expected.replicas === undefined ? pods.filter(({ labels }) => labels[SERVICE_LABEL] !== undefined) : [];
  const staying = pods.filter((pod) => !leaving.includes(pod));
  if (staying.length === 0) {
    const own = leaving.length === 0 ? "" : ` but those of its own workload, which is no longer declared (no image)`;
    return { wait: `${where}: selector ${text} matches no pod${own}` };
  }
  const word = expected.publishNotReadyAddresses ? "running" : "ready";
  const ready = staying.filter((pod) => pod[word]).map((pod) => pod.name);
  if (expected.replicas !== undefined && ready.length < expected.replicas) {
    return { wait: `${where}: ${String(ready.length)} of ${String(expected.replicas)} pods are ${word}` };
  }
  if (ready.length === 0) {
    return { wait: `${where}: none of the ${String(staying.length)} pods that ${text} matches is ${word}` };
  }
  const missing = ready.filter((name) => !endpoints.includes(name)).sort();
  const extra = endpoints.filter((name) => !ready.includes(name) && !leaving.some((pod) => pod.name === name)).sort();
  if (missing.length > 0 || extra.length > 0) {
    return {
      wait: `${where}: endpoints are ${[...endpoints].sort().join(", ") || "none"}, ${word} pods are ${ready.sort().join(", ")}`,
    };
  }
  return {};
}
