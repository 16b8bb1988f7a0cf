import type { Cluster, PodNetwork } from "../../../components/index";
import { ConnectivityCheck } from "../../../components/index";
import { enforcesPolicy, type NetworkDefinition, type NetworkPromise } from "../../../components/network/definition";
import { cluster, type Made, settle } from "../mocks";

/** What a program of a cluster, one network and a check makes, with mocks in the engine's place. */
export interface WholeNetwork {
  /** The network's Kubernetes objects, as `KIND NAMESPACE/NAME`, sorted. */
  readonly objects: string[];
  /** Names of the network's commands, sorted. */
  readonly commands: string[];
  readonly mtus: Record<string, number>;
}

/** Makes a network on a cluster of one worker, with a check, and says what came of it. `made` is where the mocks record. */
export async function wholeNetwork(made: Made[], make: (on: Cluster) => PodNetwork): Promise<WholeNetwork> {
  const demo = cluster(1);
  const network = make(demo);
  new ConnectivityCheck("check", { cluster: demo, network });
  await settle(() => made.length);
  const own = made.filter(({ name }) => name.startsWith("network-"));
  return {
    objects: own
      .filter(({ type }) => type.startsWith("kubernetes:"))
      .map(({ type, inputs }) => {
        const { name, namespace } = inputs["metadata"] as { name: string; namespace?: string };
        return `${type.replace(/^.*:/, "")} ${namespace === undefined ? "" : `${namespace}/`}${name}`;
      })
      .sort(),
    commands: own
      .filter(({ type }) => type.startsWith("command:"))
      .map(({ name }) => name)
      .sort(),
    mtus: await new Promise((done) => network.mtus.apply(done)),
  };
}

/** The commands of every network on a cluster of one worker; one with agents gives the nodes their images before. */
export function commandsOf(agents: boolean): string[] {
  return [
    "network-change",
    "network-choice",
    "network-enable",
    "network-hold",
    ...(agents ? ["network-images"] : []),
    "network-on-cp",
    "network-on-w1",
    "network-preflight",
  ];
}

/** What a network's definition says of it, for a test to compare. */
export function summary(definition: NetworkDefinition): {
  readonly id: string;
  readonly overhead: number;
  readonly policy: boolean;
  readonly leavesOpen: NetworkPromise[];
  readonly ownEgress: boolean;
  readonly replacesKubeProxy: boolean;
} {
  const { id, overhead, notApplicable, ownEgress, replacesKubeProxy } = definition;
  return {
    id,
    overhead,
    policy: enforcesPolicy(definition),
    leavesOpen: notApplicable.map(({ promise }) => promise),
    ownEgress,
    replacesKubeProxy,
  };
}
