import { randomBytes } from "node:crypto";
import { contains, parseCidr, parseIpv4 } from "../../args/ipv4";
import { own } from "../../args/own";
import { allSettled } from "../../args/settled";
import { isReady, type KubeClient, type Pod, podsOf } from "../../kubernetes/client";
import { reasonOf } from "../../kubernetes/reason";
import { freshPod as freshPodObject } from "../objects";
import { FRESH_LABEL, PORTS, PROBE_NAMESPACE } from "../probes";
import { targetNodesOf } from "../reach";
import { nameOf, type Request } from "../request";
import { withUndo } from "../undo";
import { waitFor } from "../wait";
import { outsideUnknown } from "./addresses";
import { type Claim, type Proving, type Verdict, verdict } from "./claim";

const PODS = `/api/v1/namespaces/${PROBE_NAMESPACE}/pods`;

/** Seconds that a new pod may take to be ready. */
const SECONDS = 20;

/** Minutes after which such a pod is one that a killed run left. */
const LEFT_AFTER = 10;

/**
 * Each run makes a new pod on every node, by the runtime and the network that new pods get there now, and takes it away. Pods that
 * live already may be connected where no new one would be.
 */
export const freshPod = {
  id: "fresh-pod",
  title: "a new pod gets an address of its node's pod CIDR, and is reached on it",
  waitsOn: ["as-made", "pod-to-pod"],
  apart: true,
  explainedBy: ["conflist", "files", "bridge", "network"],
  cause: ({ source, target, seen }) =>
    target === "a new pod"
      ? { place: source, hop: "pod", text: `a new pod there is not as it should be: ${seen}` }
      : undefined,
  prepare: removeLeft,
  requests: () => [],
  judge: () => [],
  prove: async (proving) => {
    const run = randomBytes(3).toString("hex");
    const { nodes } = proving.topology;
    const blocked = nodes.flatMap((node) => blockedOn(node, proving) ?? []);
    const made = nodes.filter((node) => !blocked.some(({ source }) => source === node));
    const verdicts = await withUndo(
      () => removeFresh(proving.client, run),
      () => proveOn(made, run, proving),
    );
    const unknown = made.filter((node) => proving.topology.input.nodes[node]?.podCidr === undefined);
    return [...verdicts, ...blocked, ...unknown.map(outsideUnknown)];
  },
} as const satisfies Claim;

/** A node on which nothing makes pods, by its own status: that is told, and not waited for. */
function blockedOn(node: string, { observations }: Proving): Verdict | undefined {
  const dead = (own(observations.statuses, node)?.units ?? []).find(
    ({ name, active }) => (name === "kubelet" || name === "containerd") && active !== "active",
  );
  return (
    dead && { ...made(node), status: "blocked", seen: `as-made of ${node} failed: ${dead.name} is ${dead.active}` }
  );
}

function made(node: string): Pick<Verdict, "source" | "target" | "expected"> {
  return { source: node, target: "a new pod", expected: `a new pod is ready within ${String(SECONDS)} s` };
}

async function proveOn(nodes: readonly string[], run: string, proving: Proving): Promise<Verdict[]> {
  const { client, say, topology } = proving;
  say("making a new pod on every node");
  // All of them, so that what is taken back at the end is all there is.
  await allSettled(
    nodes.map((node, index) => client.create(PODS, freshPodObject(node, run, index, topology.input.image))),
  );
  let pods: Pod[] = [];
  await waitFor(async () => {
    pods = await podsOf(client, PROBE_NAMESPACE, { [FRESH_LABEL]: run });
    return pods.filter(isReady).length === nodes.length;
  }, SECONDS);
  const verdicts = await Promise.all(
    nodes.map((node) =>
      judgePod(
        node,
        pods.find(({ spec }) => spec.nodeName === node),
        proving,
      ),
    ),
  );
  return [...verdicts, ...(await reached(pods.filter(isReady), proving))];
}

/** Whether a new pod came, with an address where it should have one. */
async function judgePod(
  node: string,
  pod: Pod | undefined,
  { client, topology, observations }: Proving,
): Promise<Verdict> {
  if (!pod || !isReady(pod)) {
    const seen = pod ? await reasonOf(client, pod) : "somebody took it away";
    // A node that is full, or under pressure, takes no pod; that is no fault of its network.
    if (/^(OutOf|Evicted|UnexpectedAdmissionError)/.test(pod?.status.reason ?? "")) {
      return { ...made(node), status: "not-applicable", seen: `${node} takes no more pods: ${seen}` };
    }
    return { ...made(node), status: "failed", seen };
  }
  const { podCidr } = own(topology.input.nodes, node) ?? {};
  const ip = pod.status.podIP ?? "";
  const twin = observations.pods.find((other) => other.ip === ip);
  const inside = podCidr === undefined || contains(parseCidr(podCidr), parseIpv4(ip));
  return {
    source: node,
    target: "a new pod",
    expected: `a new pod has an address ${podCidr === undefined ? "" : `of ${podCidr} `}that no other pod has`,
    status: inside && !twin ? "passed" : "failed",
    seen: twin ? `it has ${ip}, which ${twin.name} on ${twin.node} has too` : `it has ${ip}`,
  };
}

/** Asks each new pod, from its own node and from the next one, and judges who answers. */
async function reached(pods: readonly Pod[], proving: Proving): Promise<Verdict[]> {
  const { topology, ask } = proving;
  const { nodes } = topology;
  const requests = pods.flatMap(({ metadata, spec, status }, index): Request[] => {
    const { nodeName: on = "" } = spec;
    const next = nodes[(nodes.indexOf(on) + 1) % nodes.length] ?? on;
    const address = status.podIP ?? "";
    return [...new Set([on, next])].map((node, second) => ({
      id: `n${String(2 * index + second)}`,
      claim: "fresh-pod",
      node,
      probe: "probe-a",
      source: nameOf(node, "probe-a"),
      targetNode: on,
      target: `the new pod on ${on}`,
      only: [metadata.name],
      ask: { kind: "hostnames", protocol: "TCP", address, port: PORTS.pod.TCP, tries: 1 },
    }));
  });
  const answers = new Map<string, readonly string[] | string>();
  await waitFor(async () => {
    for (const [id, answer] of await ask(requests.filter(({ id }) => typeof answers.get(id) !== "object"))) {
      answers.set(id, answer.ok ? answer.values : answer.error);
    }
    return requests.every(({ id }) => typeof answers.get(id) === "object");
  }, ASKED_SECONDS);
  const broken = brokenPairs(proving);
  return requests.map((request) => judgeReached(request, answers.get(request.id) ?? "no answer", broken));
}

/** The first broken request between each two nodes. */
function brokenPairs({ verdictsOf }: Proving): ReadonlyMap<string, Request> {
  const pairs = verdictsOf("pod-to-pod").flatMap(({ status, request }) => {
    if (status !== "failed" || !request) {
      return [];
    }
    return targetNodesOf(request).map((target) => [`${request.node} ${target}`, request] as const);
  });
  return new Map(pairs.reverse());
}

/** Seconds for which a new pod is asked again where it does not answer. */
const ASKED_SECONDS = 2;

function judgeReached(
  request: Request,
  answer: readonly string[] | string,
  broken: ReadonlyMap<string, Request>,
): Verdict {
  const expected = "the new pod answers with its name";
  if (typeof answer === "object") {
    const good = answer.every((name) => request.only?.includes(name) === true);
    return verdict(request, good ? "passed" : "failed", expected, `an answer of ${answer.join(", ")}`);
  }
  const cause = broken.get(`${request.node} ${request.targetNode ?? ""}`);
  return cause
    ? verdict(request, "blocked", expected, `pod-to-pod from ${cause.source} to ${cause.target} failed`)
    : verdict(request, "failed", expected, answer);
}

function removeFresh(client: KubeClient, run: string): Promise<void> {
  return client.delete(`${PODS}?labelSelector=${encodeURIComponent(`${FRESH_LABEL}=${run}`)}`);
}

/** Removes what a killed run left; another run's, which may be at work, is spared. */
async function removeLeft(client: KubeClient): Promise<void> {
  const pods = await podsOf(client, PROBE_NAMESPACE, {});
  const oldest = Date.now() - LEFT_AFTER * 60_000;
  const left = pods.filter(
    ({ metadata }) =>
      metadata.labels[FRESH_LABEL] !== undefined && Date.parse(metadata.creationTimestamp ?? "") < oldest,
  );
  await Promise.all(left.map(({ metadata }) => client.delete(`${PODS}/${metadata.name}`)));
}
