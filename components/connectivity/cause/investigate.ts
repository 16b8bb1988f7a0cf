import { messageOf } from "../../args/validate";
import type { Shell } from "../../machine/shell";
import { endpointsOf, isReady, type KubeClient, podsOf } from "../../kubernetes/client";
import { reasonOf } from "../../kubernetes/reason";
import type { AskOnce } from "../asking";
import type { Facts } from "../facts";
import type { CheckInput } from "../input";
import type { Verdicts } from "../judge";
import { PROBE_NAMESPACE, PROBE_SERVICE } from "../probes";
import { endpointsBehind, type Followed, flowsOf, servicesOf } from "./flows";
import { follow, type FollowedSights } from "./follow";
import { policiesOnProbes, type SeenPolicy } from "./policies";

/** What an investigation works with. */
export interface Means {
  readonly client: KubeClient;
  readonly shells: ReadonlyMap<string, Shell>;
  /** Makes requests once. */
  readonly ask: AskOnce;
  /** Tells what it is doing. */
  readonly say: (line: string) => void;
}

/** The packets that were followed, and what the nodes saw of them. */
export interface Evidence extends FollowedSights {
  readonly followed: readonly Followed[];
  /** Why kube-proxy does not run on a node, by node; nothing where it does. Undefined where the cluster has none. */
  readonly proxies: Readonly<Record<string, string>> | undefined;
  /** Addresses of the endpoints of asked Services after that: a pod that was asked may be ready no more. */
  readonly endpoints: readonly string[];
  /** NetworkPolicies that hold back what the check asks; none where the network enforces none. */
  readonly policies: readonly SeenPolicy[];
}

/**
 * Follows the packets of failed proofs between pods and nodes; asks nothing where none failed. It goes before anything is changed for
 * a proof: a new pod makes the network's plugin set its bridge and its settings anew, which would hide the cause.
 */
export async function investigate(
  { topology, observations }: Facts,
  verdicts: Verdicts,
  { client, shells, ask, say }: Means,
): Promise<Evidence> {
  const all = [...verdicts.values()].flat();
  const followed = flowsOf(all, topology);
  const services = servicesOf(all);
  if (followed.length === 0 && services.size === 0) {
    // What is proven later may fail by it.
    return {
      followed,
      byNode: {},
      proxies: await proxiesOf(client, topology.nodes),
      endpoints: [],
      policies: [],
      troubles: [],
    };
  }
  if (topology.input.podsAlone) {
    // Nobody on the nodes can look at a packet.
    const troubles: string[] = [];
    const unless = async <T>(what: string, asked: Promise<T>, otherwise: T): Promise<T> =>
      asked.catch((error: unknown) => {
        troubles.push(`${what} cannot be looked at: ${messageOf(error)}`);
        return otherwise;
      });
    const [proxies, policies] = await Promise.all([
      unless("kube-proxy", proxiesOf(client, topology.nodes), undefined),
      unless("policies on the probes", policiesOnProbes(client), []),
    ]);
    return { followed: [], byNode: {}, proxies, endpoints: [], policies, troubles };
  }
  say(`looking for the cause: following packets of failed proofs, hop by hop, on ${String(followed.length)} ways`);
  const behind = (address: string): string[] => endpointsBehind(address, topology);
  const [sights, policies, proxies] = await Promise.all([
    follow({ followed, services, endpointsBehind: behind }, shells, observations.seen, ask),
    topology.input.network.enforcesPolicy ? policiesOnProbes(client) : [],
    proxiesOf(client, topology.nodes),
  ]);
  const endpoints = services.size === 0 ? [] : await endpointsNow(client, topology.input);
  return { followed, proxies, endpoints, policies, ...sights };
}

/** Addresses of the ready endpoints of the check's own Service and of the program's. */
async function endpointsNow(client: KubeClient, { services }: CheckInput): Promise<string[]> {
  const all = [{ namespace: PROBE_NAMESPACE, name: PROBE_SERVICE }, ...services];
  const found = await Promise.all(all.map(({ namespace, name }) => endpointsOf(client, namespace, name)));
  return found.flat().map(({ address }) => address);
}

/** Why kube-proxy does not run on these nodes, by node; undefined where it runs nowhere, since something else serves ClusterIPs. */
async function proxiesOf(client: KubeClient, nodes: readonly string[]): Promise<Evidence["proxies"]> {
  const pods = await podsOf(client, "kube-system", { "k8s-app": "kube-proxy" });
  if (pods.length === 0) {
    return undefined;
  }
  const reasons = await Promise.all(
    nodes.map(async (node) => {
      const pod = pods.find(({ spec }) => spec.nodeName === node);
      const reason = pod === undefined ? "none runs there" : isReady(pod) ? undefined : await reasonOf(client, pod);
      return reason === undefined ? [] : [[node, reason] as const];
    }),
  );
  return Object.fromEntries(reasons.flat());
}
