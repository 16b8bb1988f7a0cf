import * as command from "@pulumi/command";
import * as kubernetes from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import { known } from "../args/known";
import { noteNames } from "../args/names";
import { dialTableOf } from "../machine/connection";
import type { DialTable } from "../machine/dialTable";
import type { Parameters } from "../node/parameters";
import { checkedCluster, type ClusterArgs } from "./args";
import { Changes } from "./changes";
import { declaredMachines, type DeclaredMachines } from "./declared";
import { joinNodes, memberLinesOf } from "./kubeadm";
import { type AddressesOf, type ClusterNode, installParameters, makeNode } from "./nodes";
import { type ObjectContext, objectOptions } from "./objects";
import { planTopology } from "./topology";

/** A Kubernetes cluster made by kubeadm on machines reached over SSH; its nodes are Ready once a network is on them. */
export class Cluster extends pulumi.ComponentResource {
  /** The nodes by name. */
  readonly nodes: Readonly<Record<string, ClusterNode>>;
  /** The node of the control plane. */
  readonly controlPlane: ClusterNode;
  /** Kubeconfig of the cluster's administrator: a secret. */
  readonly kubeconfig: pulumi.Output<string>;
  /** Provider for Kubernetes resources of this cluster. */
  readonly provider: kubernetes.Provider;
  /** Addresses of all pods. */
  readonly podCidr: pulumi.Output<string>;
  /** Addresses of the Services. */
  readonly serviceCidr: pulumi.Output<string>;
  /** DNS domain of the Services. */
  readonly dnsDomain: pulumi.Output<string>;
  /** Name of the cluster. */
  readonly clusterName: pulumi.Output<string>;
  /** ClusterIP of the cluster's DNS. */
  readonly dnsIp: pulumi.Output<string>;
  /** API server as `host:port`, for the nodes. */
  readonly endpoint: pulumi.Output<string>;
  /** A resource whose deletion ends the cluster, so that nothing in it has to be undone first. */
  readonly deletedWith: pulumi.Resource | undefined;
  /**
   * Where nodes read releases and images from, as given.
   * @internal
   */
  readonly mirror: pulumi.Output<string | undefined>;
  /**
   * SHA-256 of the mirror's files by path, as given.
   * @internal
   */
  readonly checksums: pulumi.Output<Record<string, string> | undefined>;
  /**
   * Identity of this cluster's owner, minted once and kept in the stack's state: the mark on every node.
   * @internal
   */
  readonly owner: pulumi.Output<string>;
  /**
   * Nodes whose machines are gone for good: no members, but still resources.
   * @internal
   */
  readonly gone: readonly ClusterNode[];
  /**
   * What is declared of every machine, for the preflight.
   * @internal
   */
  readonly declared: pulumi.Output<DeclaredMachines>;
  /**
   * Members as parameters of the node program: `NAME POD-CIDR` lines.
   * @internal
   */
  readonly memberLines: pulumi.Output<string[]>;
  /**
   * How every node is reached, for commands of the machine that plans: a secret.
   * @internal
   */
  readonly dialTable: pulumi.Output<DialTable>;
  /**
   * What was made of it, to tell whether an update changed any of it.
   * @internal
   */
  readonly changes: Changes;
  /**
   * Resources after which every node is registered, and the cluster has its settings.
   * @internal
   */
  readonly registered: readonly pulumi.Resource[];
  /**
   * A text that becomes another one when a node was registered anew.
   * @internal
   */
  readonly registration: pulumi.Output<string>;
  /**
   * The command after which no node is in the cluster that is not declared.
   * @internal
   */
  readonly members: pulumi.Resource;

  readonly #awaited: pulumi.Resource[] = [];
  readonly #objects: ObjectContext;

  constructor(name: string, args: ClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    const changes = new Changes();
    super("podnet:index:Cluster", name, {}, changes.noting(opts));
    this.changes = changes;
    const living = Object.entries(args.nodes).filter(([, { gone }]) => gone !== true);
    const valid = checkedCluster(name, args);
    noteNames(
      "Cluster args",
      "node of a Cluster",
      Object.keys(args.nodes).map((nodeName) => ({
        name: `${name}-${nodeName}`,
        path: `nodes.${nodeName}`,
        of: `node "${nodeName}" of the Cluster "${name}"`,
      })),
    );
    const topology = valid.apply((value) => planTopology("Cluster args", value));
    const controlName = living.find(([, { role }]) => role === "control-plane")?.[0];
    this.owner = args.owner === undefined ? mintOwner(this, name) : valid.apply(({ owner }) => owner ?? "");
    this.memberLines = topology.apply(({ podCidrs }) => memberLinesOf(podCidrs));
    const context = {
      parent: this,
      name,
      addressesOf: pulumi.all([valid, topology]).apply(([{ nodes }, { podCidrs }]): AddressesOf => (nodeName) => ({
        internalIp: nodes[nodeName]?.internalIp ?? "",
        podCidr: podCidrs[nodeName] ?? "",
      })),
      takeParameters: valid.apply(({ clusterName }): Parameters => ({ cluster: clusterName })),
      installParameters: {
        "control-plane": valid.apply((known) => installParameters("control-plane", known)),
        worker: valid.apply((known) => installParameters("worker", known)),
      },
      owner: this.owner,
      gate: pulumi.output(
        new Promise<pulumi.Output<string[]>>((open) =>
          setImmediate(() => open(pulumi.all(this.#awaited.map(({ urn }) => urn)))),
        ),
      ),
    };
    this.nodes = Object.fromEntries(
      living.map(([nodeName, machine]) => [nodeName, makeNode(context, nodeName, machine)]),
    );
    this.gone = Object.entries(args.nodes).flatMap(([nodeName, machine]) =>
      machine.gone === true ? [makeNode(context, nodeName, machine, args.nodes[controlName ?? ""]?.connection)] : [],
    );
    this.declared = declaredMachines(valid, this.owner, args.nodes);
    const control = this.nodes[controlName ?? ""];
    if (!control) {
      throw new Error("a cluster without a control plane passed its checks");
    }
    this.controlPlane = control;
    this.dialTable = dialTableOf(
      Object.fromEntries(Object.values(this.nodes).map(({ nodeName, handle }) => [nodeName, handle.connection])),
    );
    const workers = Object.values(this.nodes).filter((node) => node !== control);
    const joined = joinNodes(this, name, valid, this.memberLines, control, workers, this.gone);
    this.kubeconfig = joined.kubeconfig;
    this.endpoint = joined.endpoint;
    this.members = joined.members;
    this.registered = joined.registered;
    this.registration = joined.registration;
    Object.values(this.nodes).forEach(({ handle }) => changes.add(handle.deletedWith));
    this.podCidr = valid.podCidr;
    this.serviceCidr = valid.serviceCidr;
    this.dnsDomain = valid.dnsDomain;
    this.clusterName = valid.clusterName;
    this.mirror = valid.apply(({ mirror }) => mirror);
    this.checksums = valid.apply(({ checksums }) => checksums);
    this.dnsIp = topology.dnsIp;
    this.deletedWith = control.handle.deletedWith;
    this.provider = new kubernetes.Provider(
      `${name}-kubernetes`,
      {
        kubeconfig: this.kubeconfig,
        // Nothing replaces it: the objects of a cluster that is no more could not be deleted by it. They have their own trigger.
        clusterIdentifier: this.clusterName,
        // Said, because an environment variable could turn it off.
        enableServerSideApply: true,
      },
      { parent: this },
    );
    this.#objects = {
      provider: this.provider,
      owner: this.owner,
      kubeconfig: this.kubeconfig,
      identity: joined.identity,
      deletedWith: this.deletedWith,
    };
    this.registerOutputs({ kubeconfig: this.kubeconfig });
  }

  /**
   * Holds this cluster back from every machine until a resource of the same program is made, such as a network's preflight.
   * @internal
   */
  waitFor(resource: pulumi.Resource): void {
    this.#awaited.push(resource);
  }

  /**
   * Options of an object of podnet's own in this cluster.
   * @internal
   */
  objectOptions(parent: pulumi.Resource): pulumi.CustomResourceOptions {
    return objectOptions(this.#objects, parent);
  }
}

/** Mints the owner's identity: random, once, kept in the stack's state. */
function mintOwner(parent: pulumi.Resource, name: string): pulumi.Output<string> {
  const minted = new command.local.Command(
    `${name}-owner`,
    { create: `node -p "require('crypto').randomUUID()"`, addPreviousOutputInEnv: false },
    { parent, ignoreChanges: ["create", "update", "delete", "addPreviousOutputInEnv", "logging", "stdin"] },
  );
  return known(minted.stdout);
}
