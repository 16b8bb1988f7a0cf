import { InvalidInputError, type Problem } from "../args/validate";
import type { Cluster } from "../cluster/Cluster";
import { type Labels, matches } from "../kubernetes/selector";

/** One Service and the pods that it selects. */
interface Selecting {
  readonly namespace: string;
  readonly serviceName: string;
  readonly selector: Labels;
  /** Labels of its own workload's pods. */
  readonly podLabels?: Labels | undefined;
}

const known = new WeakMap<Cluster, Selecting[]>();

/** Notes a Service, or throws when it and another Service of the same program would share pods. */
export function noteSelector(cluster: Cluster, service: Selecting): void {
  const others = known.get(cluster) ?? [];
  const problems = others
    .filter(({ namespace }) => namespace === service.namespace)
    .flatMap((other) => problemsBetween(service, other));
  if (problems.length > 0) {
    throw new InvalidInputError("SelectedService args", problems);
  }
  known.set(cluster, [...others, service]);
}

function problemsBetween(service: Selecting, other: Selecting): Problem[] {
  if (service.serviceName === other.serviceName) {
    const message = `"${service.serviceName}" is the Service of another SelectedService of this program in the namespace ${service.namespace} already`;
    return [{ path: "serviceName", message }];
  }
  const text = JSON.stringify(service.selector);
  if (other.podLabels && matches(service.selector, other.podLabels)) {
    const message = `${text} matches the pods of service "${other.serviceName}"; add a label that only its own pods have`;
    return [{ path: "selector", message }];
  }
  if (service.podLabels && matches(other.selector, service.podLabels)) {
    const message = `pods with ${text} would be selected by service "${other.serviceName}" too; choose other labels`;
    return [{ path: "selector", message }];
  }
  return [];
}
