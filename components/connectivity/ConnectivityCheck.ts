import * as command from "@pulumi/command";
import * as kubernetes from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { checked } from "../args/checked";
import { known } from "../args/known";
import { noteNames } from "../args/names";
import { dnsDomain, image, secretText, whole } from "../args/schemas";
import { triggersOf } from "../args/triggers";
import type { Problem } from "../args/validate";
import type { CheckRequest, DeclaredWorks } from "./input";
import type { ClusterRequest } from "./foreign";
import { makeObjects } from "./objectsOf";
import { PROBE_NAMESPACE } from "./probes";
import { checkedBy } from "../network/definition";
import type { ClaimCounts, Report } from "./report/report";
import { AGNHOST_IMAGE } from "../node/releases";
import { nonceIn } from "../node/parameters";
import { Changes, digest } from "../cluster/changes";
import type { Cluster } from "../cluster/Cluster";
import { hereLine } from "../machine/here";
import type { PodNetwork } from "../network/PodNetwork";
import type { SelectedService } from "../service/SelectedService";

/** What describes a connectivity check: of a cluster and its network that the program makes, or of any cluster by its kubeconfig. */
export interface ConnectivityCheckArgs {
  /** Cluster whose nodes, network and services are proven. */
  cluster?: Cluster;
  /** Network of the cluster. */
  network?: PodNetwork;
  /** Services that are proven with the rest; of a cluster of the program's. */
  services?: SelectedService[];
  /**
   * A cluster that podnet did not make, as the text of its kubeconfig: it is proven by pods alone, and claims that need a shell on the
   * nodes do not apply.
   */
  kubeconfig?: pulumi.Input<string>;
  /** Image of the probes, the Kubernetes project's agnhost, where it is not at its usual place; of a cluster by its kubeconfig. */
  image?: pulumi.Input<string>;
  /** DNS domain of a cluster by its kubeconfig; `cluster.local` by default. */
  dnsDomain?: pulumi.Input<string>;
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
  kubeconfig: secretText.optional(),
  image: image.default(AGNHOST_IMAGE),
  dnsDomain: dnsDomain.default("cluster.local"),
});

/** The arguments that describe a cluster of the program's, and those that describe one by its kubeconfig. */
const [OF_CLUSTER, OF_KUBECONFIG] = [
  ["cluster", "network", "services"],
  ["kubeconfig", "image", "dnsDomain"],
] as const;

/** Arguments that do not go together, and a network and services of another cluster than the one that is proven. */
function contradictions(args: ConnectivityCheckArgs): Problem[] {
  const { cluster, network, services = [], kubeconfig } = args;
  if (kubeconfig !== undefined) {
    return OF_CLUSTER.filter((path) => args[path] !== undefined).map((path) => ({
      path,
      message: "does not go with kubeconfig: that is of a cluster which the program does not make",
    }));
  }
  if (cluster === undefined || network === undefined) {
    const missing = (["cluster", "network"] as const).filter((path) => args[path] === undefined);
    return missing.map((path) => ({ path, message: "is required, or kubeconfig in place of cluster and network" }));
  }
  const parts: readonly (readonly [string, { readonly cluster: Cluster }])[] = [
    ["network", network],
    ...services.map((service, index) => [`services.${String(index)}`, service] as const),
  ];
  return [
    ...OF_KUBECONFIG.filter((path) => args[path] !== undefined).map((path) => ({
      path,
      message: "goes with kubeconfig alone",
    })),
    ...parts.flatMap(([path, part]) =>
      part.cluster === cluster ? [] : [{ path, message: "is on another cluster than the check's" }],
    ),
  ];
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

/** What is proven, as the check's command has it. */
interface Proven {
  readonly input: pulumi.Output<string>;
  /** What is there before it is proven. */
  readonly after: readonly pulumi.Resource[];
  readonly changes: readonly Pick<Changes, "text">[];
  readonly deletedWith: pulumi.Resource | undefined;
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
    const { timeout = 180, kubeconfig, image, dnsDomain } = args;
    const valid = checked(
      "ConnectivityCheck args",
      connectivityCheckArgs,
      { timeout, coverage: args.coverage, kubeconfig, image, dnsDomain },
      () => contradictions(args),
    );
    const { cluster, network, services = [] } = args;
    const proven =
      cluster && network
        ? this.#ofCluster(name, { cluster, network, services }, valid)
        : this.#byKubeconfig(name, valid);
    const input = pulumi.secret(proven.input);
    const check = new command.local.Command(
      `${name}-run`,
      {
        create: hereLine("check"),
        stdin: input,
        // Whatever an update changed of all this, it proves in the same update.
        triggers: triggersOf(digest([...proven.changes, own].map((changes) => changes.text()))),
        addPreviousOutputInEnv: false,
        logging: command.local.Logging.Stderr,
      },
      { parent: this, dependsOn: [...proven.after], deletedWith: proven.deletedWith },
    );
    const report = known(check.stdout).apply((stdout) => JSON.parse(stdout) as Report);
    this.json = known(check.stdout);
    this.passed = report.passed;
    this.claims = report.apply(({ claims }): Record<string, ClaimCounts> => claims);
    this.verify = input;
    this.registerOutputs({ passed: this.passed, claims: this.claims, json: this.json });
  }

  /** What proves a cluster and a network of the program's. */
  #ofCluster(
    name: string,
    { cluster, network, services }: Pick<Required<ConnectivityCheckArgs>, "cluster" | "network" | "services">,
    valid: pulumi.Output<z.output<typeof connectivityCheckArgs>>,
  ): Proven {
    const of = `the ConnectivityCheck "${name}"`;
    noteNames("ConnectivityCheck args", "namespace", [{ name: PROBE_NAMESPACE, path: "cluster", of }], cluster);
    // Its pods end while the network can still take their links away.
    const before = [...cluster.registered, ...network.prepared];
    const { daemonSets, clusterIps } = makeObjects(name, cluster.objectOptions(this), AGNHOST_IMAGE, before);
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
    const input = pulumi
      .output({
        kubeconfig: cluster.kubeconfig,
        dnsDomain: cluster.dnsDomain,
        nodes,
        connections: cluster.dialTable,
        probeServices: clusterIps,
        services: services.map((service) => service.checked),
        network: network.definition.apply(checkedBy),
        coverage: valid.coverage,
        readyTimeout: valid.timeout,
      })
      .apply((value) => JSON.stringify({ ...value, nodes: value.nodes() } satisfies CheckRequest));
    return {
      input,
      after: [...network.applied, ...cluster.registered, ...daemonSets, ...services],
      changes: [cluster, network, ...services].map(({ changes }) => changes),
      deletedWith: cluster.deletedWith,
    };
  }

  /** What proves any cluster by pods alone. */
  #byKubeconfig(name: string, valid: pulumi.Output<z.output<typeof connectivityCheckArgs>>): Proven {
    const kubeconfig = pulumi.secret(valid.apply((args) => args.kubeconfig ?? ""));
    const provider = new kubernetes.Provider(
      `${name}-kubernetes`,
      { kubeconfig, enableServerSideApply: true },
      { parent: this },
    );
    const { image, dnsDomain, coverage, timeout: readyTimeout } = valid;
    const { daemonSets } = makeObjects(name, { parent: this, provider }, image, []);
    const input = pulumi
      .output({ kubeconfig, image, dnsDomain, coverage, readyTimeout })
      .apply((value) => JSON.stringify(value satisfies ClusterRequest));
    return { input, after: daemonSets, changes: [], deletedWith: undefined };
  }
}
