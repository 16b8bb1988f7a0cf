import * as command from "@pulumi/command";
import * as apps from "@pulumi/kubernetes/apps/v1";
import * as core from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { checked } from "../args/checked";
import { known } from "../args/known";
import { noteNames } from "../args/names";
import { whole } from "../args/schemas";
import { triggersOf } from "../args/triggers";
import type { Problem } from "../args/validate";
import type { CheckRequest, DeclaredWorks } from "./input";
import { daemonSetSpec, namespaceLabels, probeServices } from "./objects";
import { PROBE_NAMESPACE, PROBES } from "./probes";
import { checkedBy } from "../network/definition";
import type { ClaimCounts, Report } from "./report/report";
import { AGNHOST_IMAGE } from "../node/releases";
import { nonceIn } from "../node/parameters";
import { Changes, digest } from "../cluster/changes";
import type { Cluster } from "../cluster/Cluster";
import { hereLine } from "../machine/here";
import type { PodNetwork } from "../network/PodNetwork";
import type { SelectedService } from "../service/SelectedService";

/** What describes a connectivity check. */
export interface ConnectivityCheckArgs {
  /** Cluster whose nodes, network and services are proven. */
  cluster: Cluster;
  /** Network of the cluster. */
  network: PodNetwork;
  /** Services that are proven with the rest. */
  services?: SelectedService[];
  /**
   * How much between nodes is asked: `full`, every pair, or `sampled`, each ordered pair of nodes once and everything between each node
   * and a few others. By default `full` up to 30 nodes.
   */
  coverage?: "full" | "sampled";
  /** Seconds until probes that do not become ready are given up on; 180 by default. */
  timeout?: number;
}

const connectivityCheckArgs = z.strictObject({
  timeout: whole(1, 3600),
  coverage: z.enum(["full", "sampled"]).optional(),
});

/** A network and services of another cluster than the one that is proven. */
function strangers({ cluster, network, services = [] }: ConnectivityCheckArgs): Problem[] {
  const parts: readonly (readonly [string, { readonly cluster: Cluster }])[] = [
    ["network", network],
    ...services.map((service, index) => [`services.${String(index)}`, service] as const),
  ];
  return parts.flatMap(([path, part]) =>
    part.cluster === cluster ? [] : [{ path, message: "is on another cluster than the check's" }],
  );
}

/** What is declared to be applied on each node, by phase. A function, and one list: Pulumi walks through a value at each of its steps. */
function worksOf({ nodes }: Cluster): pulumi.Output<(nodeName: string) => DeclaredWorks> {
  const applies = Object.values(nodes).flatMap(({ nodeName, handle }) =>
    handle.applies.map((applying) => ({ nodeName, ...applying })),
  );
  return pulumi.all(applies.map(({ parameters }) => parameters)).apply((texts) => {
    const works = new Map<string, DeclaredWorks>();
    applies.forEach(({ nodeName, phase, name }, index) => {
      const work = { work: nonceIn(texts[index] ?? ""), resource: name };
      works.set(nodeName, { ...works.get(nodeName), [phase]: work });
    });
    return (nodeName: string) => works.get(nodeName) ?? {};
  });
}

/**
 * Real pods on every node that prove the network whenever the topology, the network or a service changed. The update fails,
 * naming each broken pair, when a claim does not hold.
 */
export class ConnectivityCheck extends pulumi.ComponentResource {
  /** Whether every claim holds; an update that ends well has it true. */
  readonly passed: pulumi.Output<boolean>;
  /** Proofs per claim, by the claim's id and by how they ended. */
  readonly claims: pulumi.Output<Record<string, ClaimCounts>>;
  /** The whole report as JSON. */
  readonly json: pulumi.Output<string>;
  /** What the check's program reads, to run it again at any time (`make verify`): a secret. */
  readonly verify: pulumi.Output<string>;

  constructor(name: string, args: ConnectivityCheckArgs, opts?: pulumi.ComponentResourceOptions) {
    const own = new Changes();
    super("podnet:index:ConnectivityCheck", name, {}, own.noting(opts));
    const { cluster, network } = args;
    const services = args.services ?? [];
    const valid = checked(
      "ConnectivityCheck args",
      connectivityCheckArgs,
      { timeout: args.timeout ?? 180, coverage: args.coverage },
      () => strangers(args),
    );
    const options = cluster.objectOptions(this);
    const of = `the ConnectivityCheck "${name}"`;
    noteNames("ConnectivityCheck args", "namespace", [{ name: PROBE_NAMESPACE, path: "cluster", of }], cluster);
    const namespace = new core.Namespace(
      `${name}-namespace`,
      {
        metadata: {
          name: PROBE_NAMESPACE,
          labels: namespaceLabels("podnet"),
        },
      },
      // Its pods end while the network can still take their links away.
      { ...options, dependsOn: [...cluster.registered, ...network.prepared] },
    );
    const inNamespace = namespace.metadata.name;
    const daemonSets = PROBES.map(
      (probe) =>
        new apps.DaemonSet(
          `${name}-${probe}`,
          {
            metadata: { name: probe, namespace: inNamespace },
            spec: daemonSetSpec(probe, AGNHOST_IMAGE),
          },
          options,
        ),
    );
    const ownServices = probeServices().map(({ name: serviceName, spec }) => ({
      serviceName,
      service: new core.Service(
        `${name}-${serviceName}`,
        {
          metadata: { name: serviceName, namespace: inNamespace },
          spec,
        },
        options,
      ),
    }));
    const addresses = Object.fromEntries(
      Object.values(cluster.nodes).map(({ nodeName, internalIp, podCidr }) => [nodeName, { internalIp, podCidr }]),
    );
    const nodes = pulumi.all([addresses, network.mtus, worksOf(cluster)]).apply(
      ([known, mtus, works]) =>
        () =>
          Object.fromEntries(
            Object.entries(known).map(([nodeName, node]) => [
              nodeName,
              { ...node, mtu: mtus[nodeName] ?? 0, works: works(nodeName) },
            ]),
          ),
    );
    const input = pulumi.secret(
      pulumi
        .output({
          kubeconfig: cluster.kubeconfig,
          dnsDomain: cluster.dnsDomain,
          nodes,
          connections: cluster.dialTable,
          probeServices: Object.fromEntries(
            ownServices.map(({ serviceName, service }) => [serviceName, known(service.spec.clusterIP)]),
          ),
          services: services.map((service) => service.checked),
          network: network.definition.apply(checkedBy),
          coverage: valid.coverage,
          readyTimeout: valid.timeout,
        })
        .apply((value) => JSON.stringify({ ...value, nodes: value.nodes() } satisfies CheckRequest)),
    );
    const check = new command.local.Command(
      `${name}-run`,
      {
        create: hereLine("check"),
        stdin: input,
        // Whatever an update changed of all this, it proves in the same update.
        triggers: triggersOf(
          digest([cluster, network, ...services, { changes: own }].map(({ changes }) => changes.text())),
        ),
        addPreviousOutputInEnv: false,
        logging: command.local.Logging.Stderr,
      },
      {
        parent: this,
        dependsOn: [...network.applied, ...cluster.registered, ...daemonSets, ...services],
        deletedWith: cluster.deletedWith,
      },
    );
    const report = known(check.stdout).apply((stdout) => JSON.parse(stdout) as Report);
    this.json = known(check.stdout);
    this.passed = report.passed;
    this.claims = report.apply(({ claims }): Record<string, ClaimCounts> => claims);
    this.verify = input;
    this.registerOutputs({ passed: this.passed, claims: this.claims, json: this.json });
  }
}
