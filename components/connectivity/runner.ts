import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { endpointsOf, isReady, KubeClient, type Pod, podsOf } from "../kubernetes/client";
import { messageOf } from "../args/validate";
import type { Finding } from "./claims";
import { type Answer, DISCOVER, driveScript, parseAnswers, type SeenProbe } from "./driver";
import type { CheckInput } from "./input";
import { judge, type Relabelling, type SeenService } from "./judge";
import { planRequests, type ProbePod, type Request, triesFor } from "./matrix";
import {
  HAIRPIN_LABEL,
  hairpinService,
  MEMBER_LABEL,
  PORTS,
  type Probe,
  PROBE_LABEL,
  PROBE_NAMESPACE,
  PROBE_SERVICE,
  PROBES,
} from "./probes";
import { idlePolicies, provePolicies, removePolicies } from "./policy";
import { NodeShell } from "./ssh";
import { waitFor } from "./wait";

/** Tells what the run is doing. */
export type Say = (line: string) => void;

const seenProbe = z.strictObject({
  probe: z.string(),
  pid: z.number(),
  downwardIp: z.string(),
  interfaceIps: z.array(z.string()),
  podName: z.string(),
});

const seenNode = z.strictObject({ addresses: z.array(z.string()) });

/** What one run of the check found. */
export interface Outcome {
  readonly findings: readonly Finding[];
  /** What a user should know and no claim says. */
  readonly warnings: readonly string[];
}

/** Milliseconds that the API server's view of the probes may lag behind the nodes. */
const SETTLE_MS = 60_000;

/** Seconds that the cluster's DNS gets to become ready; after that it is asked as it is. */
const DNS_SECONDS = 60;

const podPath = (name: string): string => `/api/v1/namespaces/${PROBE_NAMESPACE}/pods/${name}`;

/** Runs the whole check once and returns its findings. Throws when it cannot run, which says nothing about the network. */
export async function runCheck(input: CheckInput, say: Say): Promise<Outcome> {
  const client = new KubeClient(input.kubeconfig);
  const shells = new Map<string, NodeShell>();
  try {
    const opening = Object.entries(input.nodes).map(async ([name, { connection }]) => {
      shells.set(name, await NodeShell.open(name, connection));
    });
    const results = await Promise.allSettled(opening);
    const refused = results.flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : []));
    if (refused.length > 0) {
      throw new Error(`cannot reach every node over SSH:\n  ${refused.join("\n  ")}`);
    }
    say("waiting for the probes");
    const { pods, seen, addresses } = await settledProbes(client, shells, input, say);
    // A new cluster's DNS starts when its first node is Ready; that it is not up yet says nothing about the network.
    let dnsPods: Pod[] = [];
    await waitFor(async () => {
      dnsPods = await podsOf(client, "kube-system", { "k8s-app": "kube-dns" });
      return dnsPods.length > 0 && dnsPods.every(isReady);
    }, DNS_SECONDS);
    await removePolicies(client);
    await restoreLabels(client, pods);
    await waitFor(async () => {
      const wanted: [string, string[]][] = [
        [PROBE_SERVICE, namesOf(pods, "probe-a")],
        ...Object.keys(input.nodes).map((node): [string, string[]] => [
          hairpinService(node),
          pods.filter((pod) => pod.probe === "probe-b" && pod.node === node).map(({ name }) => name),
        ]),
      ];
      const found = await Promise.all(wanted.map(([service]) => endpointNames(client, service)));
      return wanted.every(([, names], index) => [...names].sort().join() === (found[index] ?? []).join());
    }, 10);
    say("asking");
    const requests = planRequests(input, pods);
    const answers = await ask(shells, requests, seen);
    say("taking a pod out of its service and putting it back");
    const relabelling = await relabel(client, shells, input, pods, seen, answers, requests);
    const services = await Promise.all(input.services.map((service) => look(client, service)));
    const dnsNodes = [...new Set(dnsPods.filter(isReady).map(({ spec }) => spec.nodeName ?? ""))];
    const findings = judge(input, { pods, seen, addresses, requests, answers, services, relabelling, dnsNodes });
    const askPairs = (pairs: readonly Request[]): Promise<Map<string, Answer>> => askOnce(shells, pairs, seen);
    findings.push(...(await provePolicies(client, input, pods, { requests, answers }, askPairs, say)));
    return { findings, warnings: await idlePolicies(client, input) };
  } finally {
    shells.forEach((shell) => shell.close());
    client.close();
  }
}

function namesOf(pods: readonly ProbePod[], probe: Probe): string[] {
  return pods
    .filter((pod) => pod.probe === probe)
    .map(({ name }) => name)
    .sort();
}

async function endpointNames(client: KubeClient, service: string): Promise<string[]> {
  const found = await endpointsOf(client, PROBE_NAMESPACE, service);
  return found.map(({ pod, address }) => pod ?? address).sort();
}

async function readyProbes(client: KubeClient, input: CheckInput, say: Say): Promise<ProbePod[]> {
  let reason = "";
  let said = "";
  let pods: ProbePod[] = [];
  const ready = await waitFor(async () => {
    try {
      const missing: string[] = [];
      const all = await podsOf(client, PROBE_NAMESPACE, {});
      const found = Object.keys(input.nodes).flatMap((node) =>
        PROBES.flatMap((probe) => {
          const candidates = all.filter(
            ({ metadata, spec }) => metadata.labels[PROBE_LABEL] === probe && spec.nodeName === node,
          );
          const good = candidates.find((pod) => isReady(pod) && pod.status.podIP !== undefined);
          if (!good) {
            missing.push(`${probe} on ${node}: ${whyNot(candidates[0])}`);
            return [];
          }
          return [{ probe, node, name: good.metadata.name, ip: good.status.podIP ?? "" }];
        }),
      );
      reason = missing.join("; ");
      pods = found;
      if (missing.length > 0 && reason !== said) {
        said = reason;
        say(`waiting for ${String(missing.length)} probes: ${missing[0] ?? ""}`);
      }
      return missing.length === 0;
    } catch (error) {
      reason = messageOf(error);
      return false;
    }
  }, input.readyTimeout);
  if (!ready) {
    throw new Error(`probes are not ready after ${String(input.readyTimeout)} s: ${reason}`);
  }
  return pods;
}

/**
 * The ready probes and their processes. After a reboot the API server tells for some seconds what was before it, so both
 * are read until they agree; what still disagrees after that is for the judge.
 */
async function settledProbes(
  client: KubeClient,
  shells: ReadonlyMap<string, NodeShell>,
  input: CheckInput,
  say: Say,
): Promise<{ pods: ProbePod[] } & Discovered> {
  const deadline = Date.now() + SETTLE_MS;
  for (;;) {
    const pods = await readyProbes(client, input, say);
    const { seen, addresses } = await discover(shells);
    const odd = pods.find(({ probe, node, name, ip }) => {
      const process = seen[node]?.find((candidate) => candidate.probe === probe && candidate.podName === name);
      return !process || (probe !== "probe-host" && !process.interfaceIps.includes(ip));
    });
    if (!odd || Date.now() > deadline) {
      return { pods, seen, addresses };
    }
    say(`waiting for ${odd.probe} on ${odd.node} to be as the API server has it`);
    await sleep(1000);
  }
}

function whyNot(pod: Pod | undefined): string {
  if (!pod) {
    return "not created";
  }
  const waiting = pod.status.containerStatuses.map(({ state }) => state.waiting).find((state) => state !== undefined);
  const text = [waiting?.reason, waiting?.message].filter((part) => part !== undefined).join(": ");
  return text === "" ? (pod.status.phase ?? "unknown") : text;
}

/** Gives every probe the labels that the Services select by; a run that was killed may have left one without. */
async function restoreLabels(client: KubeClient, pods: readonly ProbePod[]): Promise<void> {
  const all = await podsOf(client, PROBE_NAMESPACE, {});
  const labelsOf = (name: string) => all.find(({ metadata }) => metadata.name === name)?.metadata.labels ?? {};
  await Promise.all(
    pods.map(async ({ probe, name, node }) => {
      const labels: Record<string, string> =
        probe === "probe-a" ? { [MEMBER_LABEL]: "yes" } : probe === "probe-b" ? { [HAIRPIN_LABEL]: node } : {};
      const now = labelsOf(name);
      if (Object.entries(labels).some(([key, value]) => now[key] !== value)) {
        await client.patch(podPath(name), { metadata: { labels } });
      }
    }),
  );
}

type Seen = Record<string, SeenProbe[]>;

interface Discovered {
  readonly seen: Seen;
  readonly addresses: Record<string, string[]>;
}

async function discover(shells: ReadonlyMap<string, NodeShell>): Promise<Discovered> {
  const seen: Seen = {};
  const addresses: Record<string, string[]> = {};
  await Promise.all(
    [...shells].map(async ([name, shell]) => {
      const { stdout } = await shell.run(DISCOVER);
      const [first = "", ...rest] = stdout.split("\n").filter((line) => line !== "");
      addresses[name] = seenNode.parse(JSON.parse(first)).addresses;
      seen[name] = rest.map((line) => seenProbe.parse(JSON.parse(line)));
    }),
  );
  return { seen, addresses };
}

/** Whether asking again can help: an answer that broke a rule is an answer, and stands. */
function unanswered(request: Request, answer: Answer | undefined, expected: number): boolean {
  if (request.group === "mtu" && request.ask.kind === "packet") {
    return false;
  }
  if (!answer?.ok) {
    return true;
  }
  return request.group === "service" && new Set(answer.values).size < expected;
}

/**
 * Makes all requests, and those without an answer twice more: one lost packet is no broken network, and kube-proxy takes up
 * to a second to follow a Service.
 */
async function ask(
  shells: ReadonlyMap<string, NodeShell>,
  requests: readonly Request[],
  seen: Seen,
): Promise<Map<string, Answer>> {
  const answers = new Map<string, Answer>();
  const members = new Set(requests.filter(({ probe }) => probe === "probe-a").map(({ node }) => node)).size;
  const packets = requests.filter(({ group }) => group === "mtu");
  let pending: readonly Request[] = requests;
  for (const pause of [0, 300, 1000]) {
    if (pending.length === 0) {
      break;
    }
    await sleep(pause);
    const round = await askOnce(shells, pending, seen);
    for (const [id, answer] of round) {
      const before = answers.get(id);
      answers.set(id, before?.ok && answer.ok ? merge(before, answer) : answer.ok || !before?.ok ? answer : before);
    }
    pending = requests.filter((request) => unanswered(request, answers.get(request.id), members));
    if (pause === 0) {
      // A lost ping is as good as a lost request: it gets its second chance too.
      const lost = packets.filter((request) => {
        const answer = answers.get(request.id);
        return answer?.ok === false && answer.error.startsWith("no answer");
      });
      pending = [...pending, ...lost];
    }
  }
  return answers;
}

function merge(a: Answer & { ok: true }, b: Answer & { ok: true }): Answer {
  return { ok: true, values: [...a.values, ...b.values], errors: [...a.errors, ...b.errors] };
}

async function askOnce(
  shells: ReadonlyMap<string, NodeShell>,
  requests: readonly Request[],
  seen: Seen,
): Promise<Map<string, Answer>> {
  const rounds = await Promise.all(
    [...shells].map(async ([node, shell]) => {
      const own = requests.filter((request) => request.node === node);
      if (own.length === 0) {
        return [];
      }
      const pids = Object.fromEntries((seen[node] ?? []).map(({ probe, pid }) => [probe, pid]));
      const { stdout } = await shell.run(driveScript(own, pids), 60);
      return [...parseAnswers(own, stdout)];
    }),
  );
  return new Map(rounds.flat());
}

/** Takes the first `probe-a` out of the check's Service by its label, looks, and puts it back whatever happens. */
async function relabel(
  client: KubeClient,
  shells: ReadonlyMap<string, NodeShell>,
  input: CheckInput,
  pods: readonly ProbePod[],
  seen: Seen,
  answers: ReadonlyMap<string, Answer>,
  requests: readonly Request[],
): Promise<Relabelling> {
  const members = namesOf(pods, "probe-a");
  const pod = pods.find(({ probe }) => probe === "probe-a")?.name ?? "";
  const rest = members.filter((name) => name !== pod);
  const before = await endpointNames(client, PROBE_SERVICE);
  const putBack = async (): Promise<void> => {
    await client.patch(podPath(pod), { metadata: { labels: { [MEMBER_LABEL]: "yes" } } });
  };
  let during: string[] = [];
  let answered: Record<string, readonly string[] | undefined> = {};
  const onSignal = (): void => {
    void putBack().finally(() => process.exit(2));
  };
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  try {
    await client.patch(podPath(pod), { metadata: { labels: { [MEMBER_LABEL]: null } } });
    await waitFor(async () => {
      during = await endpointNames(client, PROBE_SERVICE);
      return during.join() === rest.join();
    }, 10);
    const address = input.probeServices[PROBE_SERVICE] ?? "";
    const asks = Object.keys(input.nodes).map((node, index): Request => ({
      id: `r${String(index)}`,
      group: "service",
      node,
      probe: "probe-b",
      source: node,
      target: PROBE_SERVICE,
      ask: { kind: "hostnames", protocol: "TCP", address, port: PORTS.service.TCP, tries: triesFor(members.length) },
    }));
    const working = asks.filter(({ node }) => {
      const earlier = requests.find((r) => r.group === "service" && r.node === node && r.probe === "probe-b");
      return earlier !== undefined && answers.get(earlier.id)?.ok === true;
    });
    await waitFor(async () => {
      const round = await askOnce(shells, working, seen);
      answered = Object.fromEntries(
        asks.map(({ id, node }) => {
          const answer = round.get(id);
          return [node, answer?.ok ? [...new Set(answer.values)].sort() : undefined];
        }),
      );
      return working.every(({ node }) => {
        const names = answered[node];
        return rest.length === 0 ? names === undefined : names?.every((name) => rest.includes(name)) === true;
      });
    }, 5);
  } finally {
    await putBack();
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
  let after: string[] = [];
  await waitFor(async () => {
    after = await endpointNames(client, PROBE_SERVICE);
    return after.join() === members.join();
  }, 10);
  return { pod, members, before, during, after, answered };
}

const liveService = z.looseObject({
  spec: z.looseObject({ selector: z.record(z.string(), z.string()).optional() }),
});

async function look(client: KubeClient, declared: CheckInput["services"][number]): Promise<SeenService> {
  const { namespace, name, selector } = declared;
  let seen: SeenService = { name: `${namespace}/${name}`, selector: undefined, pods: [], endpoints: [] };
  // Endpoints follow pods with a delay of their own; a difference that lasts is one.
  await waitFor(async () => {
    try {
      const [service, pods, endpoints] = await Promise.all([
        client.get(`/api/v1/namespaces/${namespace}/services/${name}`, liveService),
        podsOf(client, namespace, selector),
        endpointsOf(client, namespace, name),
      ]);
      seen = {
        name: `${namespace}/${name}`,
        selector: service.spec.selector,
        pods: pods.filter(isReady).map(({ metadata }) => metadata.name),
        endpoints: endpoints.map(({ pod, address }) => pod ?? address),
      };
    } catch {
      return false;
    }
    return seen.pods.length > 0 && [...seen.pods].sort().join() === [...seen.endpoints].sort().join();
  }, 3);
  return seen;
}
