import { z } from "zod";
import { secretText } from "../args/schemas";
import { ifThere, type KubeClient } from "../kubernetes/client";
import { AGNHOST_IMAGE } from "../node/releases";
import type { CheckInput } from "./input";
import { probeServices } from "./objects";
import { PROBE_NAMESPACE } from "./probes";

/** What the check reads from standard input, as JSON, of a cluster that podnet did not make: it goes by pods alone. Holds secrets. */
export const clusterInput = z.strictObject({
  kubeconfig: secretText,
  /** Whether the run makes its probes and takes them away; otherwise a stack has them there. */
  makesProbes: z.boolean().default(false),
  /** Image of the probes. */
  image: z.string().default(AGNHOST_IMAGE),
  /** The cluster's DNS domain. */
  dnsDomain: z.string().default("cluster.local"),
  /** How much between nodes is asked; by the number of nodes where it is not given. */
  coverage: z.enum(["full", "sampled"]).optional(),
  /** Seconds until probes that do not become ready are given up on. */
  readyTimeout: z.number().default(180),
});

/** Input of a check of a cluster that podnet did not make, as it is written. */
export type ClusterRequest = z.input<typeof clusterInput>;
/** Input of a check of a cluster that podnet did not make, read. */
export type ClusterInput = z.output<typeof clusterInput>;

const nodeList = z.looseObject({
  items: z.array(
    z.looseObject({
      metadata: z.looseObject({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
      status: z.looseObject({
        addresses: z.array(z.looseObject({ type: z.string(), address: z.string() })).default([]),
      }),
    }),
  ),
});

const liveService = z.looseObject({ spec: z.looseObject({ clusterIP: z.string() }) });

/** Why a claim that looks behind a pod's address is not made of such a cluster. */
const UNKNOWN = "podnet did not make this cluster, and does not know what its network promises";

/**
 * What the check needs to know of a cluster, as its API server tells it, and of nodes that it leaves out why. Throws where the cluster
 * has no node that takes Linux pods.
 */
export async function inputOf(
  client: KubeClient,
  given: ClusterInput,
): Promise<{ readonly input: CheckInput; readonly left: readonly string[] }> {
  const { items } = await client.get("/api/v1/nodes", nodeList);
  const left: string[] = [];
  const nodes = items.flatMap(({ metadata, status }) => {
    const { name, labels } = metadata;
    const internalIp = status.addresses.find(({ type, address }) => type === "InternalIP" && !address.includes(":"));
    const linux = (labels["kubernetes.io/os"] ?? "linux") === "linux";
    if (!linux || !internalIp) {
      left.push(`${name} is not asked: it ${linux ? "has no InternalIP of IPv4" : "runs no Linux"}`);
      return [];
    }
    return [[name, { internalIp: internalIp.address, mtu: 0, works: {} }] as const];
  });
  if (nodes.length === 0) {
    throw new Error(`${client.server} has no Linux node with an IPv4 InternalIP`);
  }
  const services = await Promise.all(
    probeServices().map(async ({ name }) => [name, await clusterIpOf(client, name)] as const),
  );
  const { kubeconfig, image, dnsDomain, coverage, readyTimeout } = given;
  const input: CheckInput = {
    kubeconfig,
    image,
    dnsDomain,
    coverage,
    readyTimeout,
    nodes: Object.fromEntries(nodes.sort(([a], [b]) => (a < b ? -1 : 1))),
    connections: {},
    podsAlone: true,
    probeServices: Object.fromEntries(services),
    services: [],
    network: {
      id: "the cluster's own network",
      conflist: "",
      // Whether somebody puts policies into force is not known, so none is told to be idle.
      enforcesPolicy: true,
      notApplicable: [
        { promise: "policy", reason: UNKNOWN },
        { promise: "no-nat-to-nodes", reason: UNKNOWN },
      ],
    },
  };
  return { input, left };
}

async function clusterIpOf(client: KubeClient, name: string): Promise<string> {
  const service = await ifThere(client.get(`/api/v1/namespaces/${PROBE_NAMESPACE}/services/${name}`, liveService));
  if (!service) {
    throw new Error(
      `the check's own Service ${PROBE_NAMESPACE}/${name} is not there; pulumi up of the stack that has the check brings it back, and podnet verify --kubeconfig makes its own`,
    );
  }
  return service.spec.clusterIP;
}
