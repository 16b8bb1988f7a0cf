import { contains, parseCidr, parseIpv4 } from "../args/ipv4";
import { messageOf } from "../args/validate";
import { readKubeconfig } from "../kubernetes/access";
import { apiService, KubeClient } from "../kubernetes/client";
import { nodesOf, nodeTroubles } from "../kubernetes/reason";
import { Shell } from "../machine/shell";
import { askAll, type AskOnce, asker } from "./asking";
import { causesOf, type Explained } from "./cause/causes";
import { investigate } from "./cause/investigate";
import { CLAIMS } from "./claims";
import { coverageOf, type CoverageText } from "./coverage";
import { withObjects } from "./deploy";
import { Dialler } from "./dialling";
import type { Discovered } from "./discover";
import { factsOf } from "./facts";
import { type ClusterInput, inputOf } from "./foreign";
import { idlePolicies } from "./idlePolicies";
import type { CheckInput } from "./input";
import { exemptAsAWhole, judge, prove as proveEach } from "./judge";
import { mendedWarnings } from "./mended";
import { Peer } from "./peer";
import { planRequests } from "./plan";
import { podsOfCluster } from "./pods";
import { readyDns, type Say, settledProbes } from "./ready";
import { type Finding, findingsOf } from "./report/finding";
import { claimsOf, partAsked, isReported, refuseUnknownNodes, type Selection } from "./selection";
import { lookAt, withoutLeft, withoutLeftServers } from "./services/look";
import { statusesOf } from "./statuses";
import type { ProbePod } from "./request";
import { topologyOf } from "./topology";
import { inTurn } from "./turn";

/** What one run of the check found. */
export interface Outcome {
  readonly findings: readonly Finding[];
  /** What a user should know and no claim says. */
  readonly warnings: readonly string[];
  /** What the nodes say of themselves that may be the cause of what failed. */
  readonly conditions: readonly string[];
  /** What was asked between nodes. */
  readonly coverage: CoverageText;
  /** Why proofs failed. */
  readonly causes: readonly Explained[];
}

/** What a run asks by. */
interface Means {
  readonly client: KubeClient;
  /** Shells on the nodes; none where it goes by pods alone. */
  readonly shells: ReadonlyMap<string, Shell>;
  /** How requests are made, once the probes are known. */
  readonly askerFor: (found: { readonly pods: readonly ProbePod[] } & Discovered) => AskOnce;
}

/** Runs the check of a cluster that podnet made once, by the nodes' shells. Throws when it cannot run, which says nothing about the network. */
export async function runCheck(input: CheckInput, selection: Selection, say: Say): Promise<Outcome> {
  const client = new KubeClient(input.kubeconfig);
  const shells = new Map<string, Shell>();
  try {
    await openShells(input, shells);
    const askerFor = ({ seen }: Discovered): AskOnce => asker(shells, seen);
    return await inTurn(client, say, () => prove(input, selection, say, { client, shells, askerFor }));
  } catch (error) {
    throw new Error(named(messageOf(error), client.server, input), { cause: error });
  } finally {
    shells.forEach((shell) => shell.close());
    client.close();
  }
}

/**
 * Runs the check of a cluster once by its probes' pods alone, and returns with what it found the input that it made. Throws when it
 * cannot run.
 */
export async function runByPods(
  given: ClusterInput,
  selection: Selection,
  say: Say,
): Promise<Outcome & { readonly input: CheckInput }> {
  const { access, config } = await readKubeconfig(given.kubeconfig);
  const client = new KubeClient(access);
  let dialler: Dialler | undefined;
  const askerFor = ({ pods }: { readonly pods: readonly ProbePod[] }): AskOnce => {
    dialler = new Dialler(config, pods);
    return dialler.ask;
  };
  const run = async () => {
    const { input, left } = await inputOf(client, given);
    const outcome = await prove(input, selection, say, { client, shells: new Map(), askerFor });
    return { ...outcome, warnings: [...left, ...outcome.warnings], input };
  };
  try {
    return await (given.makesProbes ? withObjects(client, given.image, say, run) : inTurn(client, say, run));
  } finally {
    dialler?.close();
    client.close();
  }
}

async function prove(
  input: CheckInput,
  selection: Selection,
  say: Say,
  { client, shells, askerFor }: Means,
): Promise<Outcome> {
  const claims = claimsOf(selection);
  const nodes = Object.keys(input.nodes);
  refuseUnknownNodes(selection, nodes);
  const peer = await Peer.open();
  try {
    say("waiting for the probes");
    const found = await settledProbes(client, shells, input, say);
    const { pods, seen, addresses, up } = found;
    const dns = await readyDns(client, say);
    const ask = askerFor(found);
    const coverage = coverageOf(input);
    // Of all claims, also of those that are not proven: a run that was killed may have left something in everybody's way.
    const prepared = CLAIMS.filter((claim) => exemptAsAWhole(claim, input) === undefined);
    await Promise.all(prepared.map(async ({ prepare }) => prepare?.(client, pods, coverage)));
    const [ways, api, services] = await Promise.all([
      peer.waysFrom(input.connections, (address) => isInside(address, input, addresses), ask),
      apiService(client),
      Promise.all(input.services.map((service) => lookAt(client, service))),
    ]);
    say("asking");
    const topology = topologyOf(
      input,
      pods,
      services.filter((service) => service !== undefined),
      { api, dnsPods: dns.pods, outside: { port: peer.port, nonce: peer.nonce, ways } },
      coverage,
    );
    const planned = planRequests(topology, claims).flatMap((request) => partAsked(selection, request));
    const [answers, statuses, listed] = await Promise.all([
      askAll(ask, planned, up),
      statusesOf(shells),
      podsOfCluster(client),
    ]);
    const kept = await withoutLeft(client, input.services, planned, answers);
    const requests = await withoutLeftServers(client, kept, answers);
    const facts = factsOf(topology, { seen, addresses, statuses, requests, answers, pods: listed, dns });
    const judged = judge(facts, claims);
    const evidence = await investigate(facts, judged, { client, shells, ask, say });
    const verdicts = await proveEach(facts, judged, { client, ask, say }, claims);
    const about = new Map(
      [...verdicts].map(([id, all]) => [id, all.filter((one) => isReported(selection, one, nodes))] as const),
    );
    const causes = causesOf(about, facts, evidence);
    const conditions = [...(await nodesOf(client)).values()].flatMap(nodeTroubles);
    const warnings = [
      ...conditions,
      ...mendedWarnings(statuses),
      ...(await idlePolicies(client, input)),
      ...evidence.troubles,
    ];
    const findings = findingsOf(about);
    return { findings, warnings, conditions, causes, coverage: coverage.text() };
  } finally {
    peer.close();
  }
}

/** Whether an address is one of the cluster's: a node's, or of its pods. */
function isInside(
  address: string,
  { nodes }: CheckInput,
  addresses: Readonly<Record<string, readonly string[]>>,
): boolean {
  return (
    Object.values(addresses).some((own) => own.includes(address)) ||
    Object.values(nodes).some(
      ({ podCidr }) => podCidr !== undefined && contains(parseCidr(podCidr), parseIpv4(address)),
    )
  );
}

/** A message in which the node that is asked by the API server's address is named. */
function named(message: string, server: string, { connections }: CheckInput): string {
  const host = new URL(server).hostname;
  const node = Object.keys(connections).find((name) => connections[name]?.host === host);
  return node !== undefined && message.includes(server)
    ? `${node}: its API server does not answer: ${message}`
    : message;
}

/** Opens a shell on every node, or throws with all nodes that refuse. */
async function openShells(input: CheckInput, shells: Map<string, Shell>): Promise<void> {
  const opening = Object.entries(input.connections).map(async ([name, connection]) => {
    shells.set(name, await Shell.open(name, connection));
  });
  const results = await Promise.allSettled(opening);
  const refused = results.flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : []));
  if (refused.length > 0) {
    throw new Error(`cannot reach every node over SSH:\n  ${refused.join("\n  ")}`);
  }
}
