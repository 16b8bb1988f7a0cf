import { z } from "zod";
import type { KubeClient } from "../kubernetes/client";
import { POLICY_ADVICE } from "../network/definition";
import type { Finding, Status } from "./claims";
import type { Answer } from "./driver";
import type { CheckInput } from "./input";
import type { ProbePod, Request } from "./matrix";
import { PORTS, PROBE_LABEL, PROBE_NAMESPACE } from "./probes";
import { waitFor } from "./wait";

const API = "/apis/networking.k8s.io/v1";
const COLLECTION = `${API}/namespaces/${PROBE_NAMESPACE}/networkpolicies`;

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

/** Takes away the check's own policies; a run that was killed may have left them. */
export async function removePolicies(client: KubeClient): Promise<void> {
  await Promise.all(STAGES.flatMap(({ policy }) => (policy ? [client.delete(`${COLLECTION}/${policy.name}`)] : [])));
}

const policyList = z.looseObject({
  items: z.array(z.looseObject({ metadata: z.looseObject({ name: z.string(), namespace: z.string() }) })),
});

/** A warning for each NetworkPolicy of the cluster that nothing enforces. */
export async function idlePolicies(client: KubeClient, input: CheckInput): Promise<string[]> {
  if (input.network.enforcesPolicy) {
    return [];
  }
  const { items } = await client.get(`${API}/networkpolicies`, policyList);
  return items.map(
    ({ metadata }) => `NetworkPolicy ${metadata.namespace}/${metadata.name} has no effect: ${POLICY_ADVICE}`,
  );
}

/** Judges one step: every pair of pods must be let pass or be held back as the step says. */
export function judgeStage(
  stage: Stage,
  pairs: readonly Request[],
  answers: ReadonlyMap<string, Answer>,
  before: ReadonlyMap<string, Answer>,
): Finding[] {
  return pairs.map((request) => {
    const allowed = allows(stage, request);
    const answer = answers.get(request.id);
    const broken = before.get(request.id)?.ok !== true;
    const passed = answer?.ok === true;
    const status: Status = broken ? "blocked" : passed === allowed ? "passed" : "failed";
    return {
      claim: "network-policy",
      source: request.source,
      target: request.target,
      protocol: request.ask.protocol,
      status,
      expected: `${stage.name}: ${allowed ? "an answer" : "no answer"}`,
      seen: broken
        ? `pod-to-pod from ${request.source} to ${request.target} failed`
        : passed
          ? "an answer"
          : (answer?.error ?? "no answer"),
    };
  });
}

function allows(stage: Stage, { probe, target, ask }: Request): boolean {
  return stage.allows(probe, target.slice(target.indexOf("/") + 1), ask.protocol);
}

/**
 * Proves that NetworkPolicies are put into force, in the check's own namespace: adds policies step by step and asks every
 * pair of pods. A network that has nothing to enforce them gets one finding that says so.
 */
export async function provePolicies(
  client: KubeClient,
  input: CheckInput,
  pods: readonly ProbePod[],
  { requests, answers }: { readonly requests: readonly Request[]; readonly answers: ReadonlyMap<string, Answer> },
  ask: (pairs: readonly Request[]) => Promise<Map<string, Answer>>,
  say: (line: string) => void,
): Promise<Finding[]> {
  const exempt = input.network.notApplicable.find(({ claim }) => claim === "network-policy");
  if (exempt) {
    const what = { source: input.network.id, target: "NetworkPolicy", expected: "policies are enforced" };
    return [{ claim: "network-policy", ...what, status: "not-applicable", seen: exempt.reason }];
  }
  const pairs = requests.filter(({ group }) => group === "pod-to-pod");
  if (pods.length === 0 || pairs.length === 0) {
    return [];
  }
  const findings: Finding[] = [];
  const onSignal = (): void => {
    void removePolicies(client).finally(() => process.exit(2));
  };
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  try {
    for (const stage of STAGES) {
      say(`policies: ${stage.name}`);
      if (stage.policy) {
        const { name, spec } = stage.policy;
        const metadata = { name, namespace: PROBE_NAMESPACE };
        await client.create(COLLECTION, { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata, spec });
      } else {
        await removePolicies(client);
      }
      let judged: Finding[] = [];
      await waitFor(async () => {
        judged = judgeStage(stage, pairs, await ask(pairs), answers);
        return judged.every(({ status }) => status !== "failed");
      }, SECONDS);
      findings.push(...judged);
    }
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    await removePolicies(client);
  }
  return findings;
}
