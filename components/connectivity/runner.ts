import { contains, parseCidr, parseIpv4 } from "../args/ipv4";
import { messageOf } from "../args/validate";
import { apiService, KubeClient, parseKubeconfig } from "../kubernetes/client";
import { nodesOf, nodeTroubles } from "../kubernetes/reason";
import { Shell } from "../machine/shell";
import { askAll, asker } from "./asking";
import { causesOf, type Explained } from "./cause/causes";
import { investigate } from "./cause/investigate";
import { factsOf } from "./facts";
import { idlePolicies } from "./idlePolicies";
import type { CheckInput } from "./input";
import { judge, prove } from "./judge";
import { mendedWarnings } from "./mended";
import { Peer } from "./peer";
import { planRequests } from "./plan";
import { podsOfCluster } from "./pods";
import { readyDns, type Say, settledProbes } from "./ready";
import { type Finding, findingsOf } from "./report/finding";
import { claimsOf, isAsked, isReported, refuseUnknownNodes, type Selection } from "./selection";
import { lookAt, withoutLeft, withoutLeftServers } from "./services/look";
import { statusesOf } from "./statuses";
import { topologyOf } from "./topology";

/** What one run of the check found. */
export interface Outcome {
  readonly findings: readonly Finding[];
  /** What a user should know and no claim says. */
  readonly warnings: readonly string[];
  /** What the nodes say of themselves that may be the cause of what failed. */
  readonly conditions: readonly string[];
  /** Why proofs failed. */
  readonly causes: readonly Explained[];
}

/** Runs the whole check once and returns its findings. Throws when it cannot run, which says nothing about the network. */
export async function runCheck(input: CheckInput, selection: Selection, say: Say): Promise<Outcome> {
  const claims = claimsOf(selection);
  const nodes = Object.keys(input.nodes);
  refuseUnknownNodes(selection, nodes);
  const client = new KubeClient(input.kubeconfig);
  const shells = new Map<string, Shell>();
  const peer = await Peer.open();
  try {
    await openShells(input, shells);
    say("waiting for the probes");
    const { pods, seen, addresses, up } = await settledProbes(client, shells, input, say);
    const dns = await readyDns(client, say);
    const ask = asker(shells, seen);
    await Promise.all(claims.map(async ({ prepare }) => prepare?.(client, pods)));
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
    );
    const planned = planRequests(topology, claims).filter((request) => isAsked(selection, request));
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
    const verdicts = await prove(facts, judged, { client, ask, say }, claims);
    const causes = causesOf(verdicts, facts, evidence);
    const conditions = [...(await nodesOf(client)).values()].flatMap(nodeTroubles);
    const warnings = [
      ...conditions,
      ...mendedWarnings(statuses),
      ...(await idlePolicies(client, input)),
      ...evidence.troubles,
    ];
    const findings = findingsOf(verdicts).filter((finding) => isReported(selection, finding, nodes));
    return { findings, warnings, conditions, causes };
  } catch (error) {
    throw new Error(named(messageOf(error), input), { cause: error });
  } finally {
    shells.forEach((shell) => shell.close());
    client.close();
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
    Object.values(nodes).some(({ podCidr }) => contains(parseCidr(podCidr), parseIpv4(address)))
  );
}

/** A message in which the node that is asked by the API server's address is named. */
function named(message: string, { kubeconfig, connections }: CheckInput): string {
  const { server } = parseKubeconfig(kubeconfig);
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
