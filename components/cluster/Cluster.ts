import * as command from "@pulumi/command";
import * as kubernetes from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import { clusterArgs } from "../args/components";
import { addressProblems, planTopology, topologyProblems } from "./topology";
import { membersScript } from "./kubeadm/scripts";
import { remoteCommand, scriptText } from "../node/command";
import { planOf } from "../network/definition";
import { checked } from "../args/checked";
import { preflightCommand } from "../network/preflight";
import { connectionTo } from "../machine/connection";
import type { NodeArgs, SshConnection } from "../machine/NodeArgs";
import { ControlPlane } from "./ControlPlane";
import { NodeRuntime } from "../node/Node";
import { Worker } from "./Worker";

/** What describes a Kubernetes cluster. */
export interface ClusterArgs {
  /** Nodes by name: a Lab's, or SshHosts. Exactly one has the role `control-plane`. */
  nodes: Record<string, NodeArgs>;
  /** Addresses of all pods, an IPv4 CIDR; a node's pod CIDR is the subnet of its slot. */
  podCidr: pulumi.Input<string>;
  /** Addresses of the Services, an IPv4 CIDR outside `podCidr`. */
  serviceCidr: pulumi.Input<string>;
  /** Name of the cluster; the resource's name by default. */
  clusterName?: pulumi.Input<string>;
  /** Prefix length of a node's pod CIDR; 24 by default. */
  nodePrefix?: pulumi.Input<number>;
  /** DNS domain of the Services; `cluster.local` by default. */
  dnsDomain?: pulumi.Input<string>;
  /** `nftables`, `iptables`, or `auto`: nftables where the control plane has it. */
  kubeProxyMode?: pulumi.Input<string>;
  /** Whether ordinary pods may run on the control plane; false by default. */
  scheduleOnControlPlane?: pulumi.Input<boolean>;
  /**
   * Network that will be installed, with its variant: `bridge`, `flannel-host-gw`, `flannel-vxlan`, `kube-router`,
   * `kube-router-ipvs`, `cilium-native`, `cilium-tunnel`, and the last two with `-no-kube-proxy`. Then its kernel features are
   * looked for before any machine is touched, and not only before the network is installed.
   */
  network?: pulumi.Input<string>;
  /** Base URL of a mirror of the releases in the upstream's layout (`https://`, `http://` or `file://`). */
  mirror?: pulumi.Input<string>;
  /** SHA-256 of the mirror's files by path, where they differ from the official ones. */
  checksums?: pulumi.Input<Record<string, string>>;
}

/** One node of a cluster, as networks and checks need it. */
export interface ClusterNode {
  readonly nodeName: string;
  readonly role: string;
  readonly internalIp: pulumi.Output<string>;
  readonly podCidr: pulumi.Output<string>;
  readonly connection: SshConnection;
  /** The resource after which the machine is known to be there and podnet's own. */
  readonly claimed: pulumi.Resource;
  /** The resource after which a pod network can be installed on the machine. */
  readonly installed: pulumi.Resource;
  readonly deletedWith?: pulumi.Resource;
}

/** A Kubernetes cluster made by kubeadm on machines reached over SSH; its nodes are Ready once a network is on them. */
export class Cluster extends pulumi.ComponentResource {
  /** The nodes by name. */
  readonly nodes: Readonly<Record<string, ClusterNode>>;
  /** Kubeconfig of the cluster's administrator: a secret. */
  readonly kubeconfig: pulumi.Output<string>;
  /** Provider for Kubernetes resources of this cluster. */
  readonly provider: kubernetes.Provider;
  readonly podCidr: pulumi.Output<string>;
  readonly serviceCidr: pulumi.Output<string>;
  readonly dnsDomain: pulumi.Output<string>;
  readonly clusterName: pulumi.Output<string>;
  /** API server as `host:port`, for the nodes. */
  readonly endpoint: pulumi.Output<string>;
  /** Where nodes read releases and images from, as given. */
  readonly mirror: pulumi.Output<string | undefined>;
  readonly checksums: pulumi.Output<Record<string, string> | undefined>;
  /** ClusterIP of the cluster's DNS. */
  readonly dnsIp: pulumi.Output<string>;
  /** Resources after which every node is registered. */
  readonly registered: readonly pulumi.Resource[];
  /** The command after which no node is in the cluster that is not declared. */
  readonly members: pulumi.Resource;
  /** The node of the control plane. */
  readonly controlPlane: ClusterNode;
  /** A resource whose deletion ends the cluster, so that nothing in it has to be undone first. */
  readonly deletedWith: pulumi.Resource | undefined;

  constructor(name: string, args: ClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("podnet:index:Cluster", name, {}, opts);
    const valid = checked(
      "Cluster args",
      clusterArgs,
      {
        clusterName: args.clusterName ?? name,
        nodes: Object.fromEntries(
          Object.entries(args.nodes).map(
            ([nodeName, { slot, role, internalIp, kubeletConfig, ignorePreflightErrors }]) => [
              nodeName,
              { slot, role, internalIp, kubeletConfig, ignorePreflightErrors },
            ],
          ),
        ),
        podCidr: args.podCidr,
        serviceCidr: args.serviceCidr,
        nodePrefix: args.nodePrefix ?? 24,
        dnsDomain: args.dnsDomain ?? "cluster.local",
        kubeProxyMode: args.kubeProxyMode ?? "auto",
        scheduleOnControlPlane: args.scheduleOnControlPlane ?? false,
        network: args.network,
        mirror: args.mirror,
        checksums: args.checksums,
      },
      (value) => [
        ...topologyProblems({ ...value, nodes: withRoles(value.nodes) }),
        ...addressProblems(
          Object.fromEntries(Object.entries(value.nodes).map(([nodeName, node]) => [nodeName, node.internalIp])),
          { "pod CIDR": value.podCidr, "service CIDR": value.serviceCidr },
        ),
      ],
    );
    const topology = valid.apply((value) => planTopology("Cluster args", { ...value, nodes: withRoles(value.nodes) }));
    const isControlPlane = ([, node]: [string, NodeArgs]): boolean => node.role === "control-plane";
    const control = Object.entries(args.nodes).find(isControlPlane);
    if (!control) {
      throw new Error("a cluster without a control plane passed its checks");
    }
    this.podCidr = valid.podCidr;
    this.serviceCidr = valid.serviceCidr;
    this.dnsDomain = valid.dnsDomain;
    this.clusterName = valid.clusterName;
    this.mirror = valid.apply(({ mirror }) => mirror);
    this.checksums = valid.apply(({ checksums }) => checksums);
    this.dnsIp = topology.dnsIp;
    const connections = Object.fromEntries(
      Object.entries(args.nodes).map(([nodeName, { connection }]) => [nodeName, connection]),
    );
    const preflight =
      args.network === undefined
        ? []
        : [
            preflightCommand(
              name,
              connections,
              valid.apply(({ network }) => planOf(network ?? "bridge")),
              { parent: this },
            ),
          ];
    this.nodes = Object.fromEntries(
      Object.entries(args.nodes).map(([nodeName, node]) => {
        const runtime = new NodeRuntime(
          `${name}-${nodeName}-runtime`,
          {
            nodeName,
            role: node.role ?? "worker",
            clusterName: valid.clusterName,
            connection: node.connection,
            mirror: valid.mirror,
            checksums: valid.checksums,
            deletedWith: node.deletedWith,
            preflight,
          },
          { parent: this },
        );
        const clusterNode: ClusterNode = {
          nodeName,
          role: node.role ?? "worker",
          internalIp: valid.nodes.apply((nodes) => nodes[nodeName]?.internalIp ?? ""),
          podCidr: topology.podCidrs.apply((podCidrs) => podCidrs[nodeName] ?? ""),
          connection: node.connection,
          claimed: runtime.claimed,
          installed: runtime.installed,
          deletedWith: node.deletedWith,
        };
        return [nodeName, clusterNode];
      }),
    );
    const [controlName, controlNode] = control;
    const node = (nodeName: string): ClusterNode => {
      const found = this.nodes[nodeName];
      if (!found) {
        throw new Error(`no node "${nodeName}"`);
      }
      return found;
    };
    const controlPlane = new ControlPlane(
      `${name}-${controlName}`,
      {
        nodeName: controlName,
        clusterName: valid.clusterName,
        internalIp: node(controlName).internalIp,
        connection: controlNode.connection,
        podCidr: valid.podCidr,
        nodePodCidr: node(controlName).podCidr,
        serviceCidr: valid.serviceCidr,
        dnsDomain: valid.dnsDomain,
        kubeProxyMode: valid.kubeProxyMode,
        schedulable: valid.scheduleOnControlPlane,
        kubeletConfig: controlNode.kubeletConfig,
        ignorePreflightErrors: controlNode.ignorePreflightErrors,
        deletedWith: controlNode.deletedWith,
      },
      { parent: this, dependsOn: node(controlName).installed },
    );
    const workers = Object.entries(args.nodes)
      .filter(([nodeName]) => nodeName !== controlName)
      .map(
        ([nodeName, worker]) =>
          new Worker(
            `${name}-${nodeName}`,
            {
              nodeName,
              internalIp: node(nodeName).internalIp,
              nodePodCidr: node(nodeName).podCidr,
              connection: worker.connection,
              controlPlane,
              controlPlaneName: controlName,
              controlPlaneConnection: controlNode.connection,
              kubeletConfig: worker.kubeletConfig,
              ignorePreflightErrors: worker.ignorePreflightErrors,
              deletedWith: worker.deletedWith,
              controlPlaneDeletedWith: controlNode.deletedWith,
            },
            { parent: this, dependsOn: node(nodeName).installed },
          ),
      );
    this.kubeconfig = controlPlane.kubeconfig;
    this.endpoint = controlPlane.endpoint;
    this.deletedWith = controlNode.deletedWith;
    this.registered = [controlPlane.initialized, ...workers.map((worker) => worker.registered)];
    const members = new command.remote.Command(
      `${name}-members`,
      {
        connection: connectionTo(controlName, controlNode.connection),
        create: remoteCommand("create", { lock: "members", timeout: 600 }),
        stdin: scriptText({ create: membersScript(Object.keys(args.nodes)) }),
        addPreviousOutputInEnv: false,
        logging: command.remote.Logging.Stderr,
      },
      { parent: this, dependsOn: controlPlane.initialized, deletedWith: controlNode.deletedWith },
    );
    this.members = members;
    this.controlPlane = node(controlName);
    this.provider = new kubernetes.Provider(
      `${name}-kubernetes`,
      { kubeconfig: this.kubeconfig, enableServerSideApply: false },
      { parent: this },
    );
    this.registerOutputs({ kubeconfig: this.kubeconfig });
  }
}

function withRoles(
  nodes: Readonly<Record<string, { slot: number; role?: string | undefined }>>,
): Record<string, { slot: number; role: string }> {
  return Object.fromEntries(
    Object.entries(nodes).map(([name, { slot, role }]) => [name, { slot, role: role ?? "worker" }]),
  );
}
