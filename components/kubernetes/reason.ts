import { z } from "zod";
import { hasEnded, isReady, type KubeClient, type Pod } from "./client";

const node = z.looseObject({
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({ unschedulable: z.boolean().optional() }).optional(),
  status: z.looseObject({
    conditions: z
      .array(z.looseObject({ type: z.string(), status: z.string(), message: z.string().optional() }))
      .default([]),
  }),
});

/** What of the API a reason takes. */
type Api = Pick<KubeClient, "get" | "text">;

/** The fields of a Node that podnet reads. */
export type NodeObject = z.output<typeof node>;

const nodeList = z.looseObject({ items: z.array(node) });

const event = z.looseObject({
  type: z.string().optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
  lastTimestamp: z.string().nullish(),
  eventTime: z.string().nullish(),
});
const eventList = z.looseObject({ items: z.array(event) });

/** The Node objects of a cluster by name. */
export async function nodesOf(client: Pick<KubeClient, "get">): Promise<Map<string, NodeObject>> {
  const { items } = await client.get("/api/v1/nodes", nodeList);
  return new Map(items.map((one) => [one.metadata.name, one]));
}

/** What keeps a node from its work, by its own conditions, each with the kubelet's words; nothing where all is well. */
export function nodeTroubles({ metadata, status }: NodeObject): string[] {
  return status.conditions.flatMap(({ type, status: value, message = "" }) => {
    const words = message === "" ? "" : `: ${message}`;
    if (type === "Ready") {
      return value === "True" ? [] : [`node ${metadata.name} is not Ready${words}`];
    }
    return value === "True" ? [`node ${metadata.name} has ${type}${words}`] : [];
  });
}

/** What is known of a pod beside its object. */
export interface KnownOfPod {
  /** The node that it is on. */
  readonly node?: NodeObject | undefined;
  /** The last line of the log of its container that ended. */
  readonly log?: string | undefined;
  /** The last warning about it. */
  readonly warning?: string | undefined;
  /** What its node does for it now, by the newest event, where that takes long: pulling its image. */
  readonly doing?: string | undefined;
}

type ContainerStatus = Pod["status"]["containerStatuses"][number];

/** Reasons for which a container waits in the ordinary course of things: what keeps it is told elsewhere. */
const ORDINARY = ["ContainerCreating", "PodInitializing"];

/** The container that keeps a pod from being ready: the first that failed, or is not ready. */
export function troubledContainer({ status }: Pod): ContainerStatus | undefined {
  const all = [...status.initContainerStatuses, ...status.containerStatuses];
  const failed = all.find(
    ({ state, lastState }) =>
      (state.waiting?.reason !== undefined && !ORDINARY.includes(state.waiting.reason)) ||
      (state.terminated !== undefined && state.terminated.exitCode !== 0) ||
      (state.running === undefined && lastState?.terminated !== undefined),
  );
  return failed ?? status.containerStatuses.find(({ ready }) => ready === false);
}

/** The pods that are waited for: those not ready; those that ended or are on their way out only where there is no other. */
export function laggards(pods: readonly Pod[]): Pod[] {
  const lagging = pods.filter((pod) => !isReady(pod));
  const coming = lagging.filter((pod) => !hasEnded(pod) && pod.metadata.deletionTimestamp === undefined);
  return coming.length > 0 ? coming : lagging;
}

/** Whether a pod can never become ready by itself: its image has a name that no registry can have. */
export function isHopeless({ status }: Pod): boolean {
  return status.containerStatuses.some(({ state }) => state.waiting?.reason === "InvalidImageName");
}

/** Why a pod is not ready: the cause that its node and the API know, with the node's name; never its phase alone. */
export function podReason(pod: Pod, known: KnownOfPod = {}): string {
  const { metadata, spec } = pod;
  const where = spec.nodeName === undefined ? metadata.name : `${metadata.name} on ${spec.nodeName}`;
  const troubles = known.node ? nodeTroubles(known.node) : [];
  const own = ownReason(pod, known);
  return [...troubles, `${where}: ${own}`].join("; ");
}

function ownReason(pod: Pod, { log, warning, doing }: KnownOfPod): string {
  const { metadata, spec, status } = pod;
  const words = (...parts: (string | undefined)[]): string =>
    parts.filter((part) => part !== undefined && part !== "").join(": ");
  if (status.reason !== undefined) {
    return words(status.reason, status.message);
  }
  const scheduled = status.conditions.find(({ type }) => type === "PodScheduled");
  if (spec.nodeName === undefined && scheduled?.status === "False") {
    return words(scheduled.reason, scheduled.message);
  }
  const container = troubledContainer(pod);
  const ended = container?.state.terminated ?? container?.lastState?.terminated;
  const waiting = container?.state.waiting;
  const end = ended && `container ${container?.name ?? ""} ended with ${endOf(ended)}`;
  const line = log === undefined || log === "" ? undefined : `its last line: ${log}`;
  if (waiting?.reason !== undefined && !ORDINARY.includes(waiting.reason)) {
    // The kubelet's words on a crash name the pause and the pod, and not the crash.
    return ended
      ? [waiting.reason, end, line].filter((part) => part !== undefined).join("; ")
      : words(waiting.reason, waiting.message);
  }
  if (end !== undefined && container?.state.running === undefined) {
    return [end, line].filter((part) => part !== undefined).join("; ");
  }
  if (metadata.deletionTimestamp !== undefined) {
    return "it is on its way out";
  }
  if (warning !== undefined) {
    return warning;
  }
  if (container) {
    return container.state.running
      ? `container ${container.name} is not ready`
      : words("its containers are being made", doing);
  }
  return spec.nodeName === undefined ? "no node was chosen for it yet" : "the node has not begun with it yet";
}

function endOf({ reason, exitCode, message }: { reason?: string; exitCode: number; message?: string }): string {
  const code = `exit code ${String(exitCode)}`;
  const named = reason === undefined || reason === "Error" || reason === "Completed" ? code : `${reason}, ${code}`;
  return message === undefined || message.trim() === "" ? named : `${named} (${lastLine(message)})`;
}

/** Why a pod is not ready, as the API server and the pod's node tell it now: conditions, warnings and the crash's last line. */
export async function reasonOf(client: Api, pod: Pod, nodes?: ReadonlyMap<string, NodeObject>): Promise<string> {
  const container = troubledContainer(pod);
  const ended =
    container !== undefined && (container.state.terminated ?? container.lastState?.terminated) !== undefined;
  const [log, events] = await Promise.all([
    ended ? logOf(client, pod, container.name, container.state.terminated === undefined) : undefined,
    eventsAbout(client, pod.metadata.namespace, "Pod", pod.metadata.name),
  ]);
  const newest = events.at(-1);
  const doing = newest?.reason === "Pulling" ? newest.message : undefined;
  return podReason(pod, { node: nodes?.get(pod.spec.nodeName ?? ""), log, warning: lastWarning(events), doing });
}

/** The cluster's events about an object that the API server still has, the newest last. */
async function eventsAbout(
  client: Pick<KubeClient, "get">,
  namespace: string,
  kind: string,
  name: string,
): Promise<z.output<typeof event>[]> {
  const query = new URLSearchParams({ fieldSelector: `involvedObject.kind=${kind},involvedObject.name=${name}` });
  const { items } = await client.get(`/api/v1/namespaces/${namespace}/events?${query.toString()}`, eventList);
  const at = ({ lastTimestamp, eventTime }: z.output<typeof event>): string => lastTimestamp ?? eventTime ?? "";
  return [...items].sort((a, b) => (at(a) < at(b) ? -1 : at(a) > at(b) ? 1 : 0));
}

function lastWarning(events: readonly z.output<typeof event>[]): string | undefined {
  const last = events.filter(({ type }) => type === "Warning").at(-1);
  return last && `${last.reason ?? "warning"}: ${(last.message ?? "").trim()}`;
}

/** The last warning of the cluster's events about an object, which is the newest that the API server still has. */
export async function warningAbout(
  client: Pick<KubeClient, "get">,
  namespace: string,
  kind: string,
  name: string,
): Promise<string | undefined> {
  return lastWarning(await eventsAbout(client, namespace, kind, name));
}

/** The last line that a container printed before it ended; nothing where its node has the log no more. */
async function logOf(client: Api, { metadata }: Pod, container: string, previous: boolean): Promise<string> {
  const query = new URLSearchParams({ container, tailLines: "5", ...(previous && { previous: "true" }) });
  const path = `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}/log?${query.toString()}`;
  try {
    const line = lastLine(await client.text(path));
    // The kubelet's own words, as if they were the log.
    return line.startsWith("unable to retrieve container logs") ? "" : line;
  } catch {
    // The node may be gone, or have the log no more: the rest of the reason stands without it.
    return "";
  }
}

function lastLine(text: string): string {
  return (text.trim().split("\n").at(-1) ?? "").slice(0, 300);
}
