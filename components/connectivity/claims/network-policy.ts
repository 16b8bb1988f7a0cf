import type { KubeClient } from "../../kubernetes/client";
import type { Answer } from "../driver";
import { PORTS, PROBE_LABEL, PROBE_NAMESPACE } from "../probes";
import type { Request } from "../request";
import { withUndo } from "../undo";
import { waitFor } from "../wait";
import { type Claim, type Proving, type Status, type Verdict, verdict } from "./claim";

const COLLECTION = `/apis/networking.k8s.io/v1/namespaces/${PROBE_NAMESPACE}/networkpolicies`;

/** In the check's own namespace, policies are added step by step and every pair of pods is asked at each step. */
export const networkPolicy = {
  id: "network-policy",
  title: "a NetworkPolicy lets pass what it allows and nothing else",
  waitsOn: ["pod-to-pod"],
  exemption: { promise: "policy", target: "NetworkPolicy", expected: "policies are enforced" },
  prepare: (client) => removePolicies(client),
  requests: () => [],
  judge: () => [],
  prove: (proving) =>
    withUndo(
      () => removePolicies(proving.client),
      () => proveStages(proving),
    ),
} as const satisfies Claim;

/** Whether a stage lets a request pass, by the probes of who asks and who is asked. */
type Allows = (from: string, to: string, protocol: string) => boolean;

/** One step of the proof: the policy that it adds, if any, and what passes then. */
interface Stage {
  readonly name: string;
  readonly policy?: { readonly name: string; readonly spec: unknown };
  readonly allows: Allows;
}

const onProbeB = { podSelector: { matchLabels: { [PROBE_LABEL]: "probe-b" } } };
const toItself: Allows = (from, to) => from === "probe-a" && to === "probe-a";

/**
 * The steps of the proof: a policy that isolates every `probe-b` in both directions, then one that lets every `probe-a` in by
 * TCP alone, then none any more (https://kubernetes.io/docs/concepts/services-networking/network-policies/).
 */
export const STAGES: readonly Stage[] = [
  {
    name: "default-deny",
    policy: { name: "podnet-check-deny", spec: { ...onProbeB, policyTypes: ["Ingress", "Egress"] } },
    allows: toItself,
  },
  {
    name: "allow",
    policy: {
      name: "podnet-check-allow",
      spec: {
        ...onProbeB,
        policyTypes: ["Ingress"],
        ingress: [
          {
            from: [{ podSelector: { matchLabels: { [PROBE_LABEL]: "probe-a" } } }],
            ports: [{ protocol: "TCP", port: PORTS.pod.TCP }],
          },
        ],
      },
    },
    allows: (from, to, protocol) =>
      toItself(from, to, protocol) || (from === "probe-a" && to === "probe-b" && protocol === "TCP"),
  },
  { name: "without policy", allows: () => true },
];

/** Seconds that an agent may take to put a policy into force. */
const SECONDS = 30;

async function removePolicies(client: KubeClient): Promise<void> {
  await Promise.all(STAGES.flatMap(({ policy }) => (policy ? [client.delete(`${COLLECTION}/${policy.name}`)] : [])));
}

async function apply(client: KubeClient, { policy }: Stage): Promise<void> {
  if (!policy) {
    await removePolicies(client);
    return;
  }
  const { name, spec } = policy;
  const metadata = { name, namespace: PROBE_NAMESPACE };
  await client.create(COLLECTION, { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata, spec });
}

async function proveStages(proving: Proving): Promise<Verdict[]> {
  const { coverage } = proving.topology;
  const pairs = proving.requestsOf("pod-to-pod").filter(({ node, targetNode = "" }) => coverage.asks(node, targetNode));
  const verdicts: Verdict[] = [];
  for (const stage of pairs.length === 0 ? [] : STAGES) {
    proving.say(`policies: ${stage.name}`);
    await apply(proving.client, stage);
    let judged: Verdict[] = [];
    await waitFor(async () => {
      judged = judgeStage(stage, pairs, await proving.ask(pairs), proving.observations.answers);
      return judged.every(({ status }) => status !== "failed");
    }, SECONDS);
    verdicts.push(...judged);
  }
  return verdicts;
}

/** Judges one step: every pair of pods must be let pass or be held back as the step says. */
export function judgeStage(
  stage: Stage,
  pairs: readonly Request[],
  answers: ReadonlyMap<string, Answer>,
  before: ReadonlyMap<string, Answer>,
): Verdict[] {
  return pairs.map((request) => {
    const allowed = allows(stage, request);
    const answer = answers.get(request.id);
    const passed = answer?.ok === true;
    const expected = `${stage.name}: ${allowed ? "an answer" : "no answer"}`;
    if (before.get(request.id)?.ok !== true) {
      const { source, target } = request;
      return verdict(request, "blocked", expected, `pod-to-pod from ${source} to ${target} failed`);
    }
    const status: Status = passed === allowed ? "passed" : "failed";
    return verdict(request, status, expected, passed ? "an answer" : (answer?.error ?? "no answer"));
  });
}

function allows(stage: Stage, { probe, target, ask }: Request): boolean {
  return stage.allows(probe, target.slice(target.indexOf("/") + 1), ask.protocol);
}
