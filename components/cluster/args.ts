import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { checked } from "../args/checked";
import {
  checksums,
  cidrText,
  dnsDomain,
  dnsLabel,
  ignorePreflightErrors,
  ipv4Text,
  kubeletConfig,
  kubeProxyMode,
  mirrorUrl,
  nodePrefix,
  ownerIdentity,
  role,
  slot,
} from "../args/schemas";
import { InvalidInputError } from "../args/validate";
import { connectionProblems } from "../machine/connection";
import type { Machine } from "../machine/Machine";
import { addressProblems, topologyProblems } from "./topology";

/** How kube-proxy serves ClusterIPs; `auto` is nftables where the control plane's kernel has it, else iptables. */
export type KubeProxyMode = "auto" | "nftables" | "iptables";

/** What describes a Kubernetes cluster. */
export interface ClusterArgs {
  /** Nodes by name: a Lab's, or SshHosts. Exactly one has the role `control-plane`. */
  nodes: Record<string, Machine>;
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
  /** How kube-proxy serves ClusterIPs; `auto` by default. */
  kubeProxyMode?: pulumi.Input<KubeProxyMode>;
  /** Whether ordinary pods may run on the control plane; false by default. */
  scheduleOnControlPlane?: pulumi.Input<boolean>;
  /** Base URL of a mirror of the releases in the upstream's layout (`https://`, `http://` or `file://`). */
  mirror?: pulumi.Input<string>;
  /** SHA-256 of the mirror's files by path, where they differ from the official ones. */
  checksums?: pulumi.Input<Record<string, string>>;
  /**
   * Identity of the owner that every machine and object of the cluster is marked with; minted once by default, and kept in the
   * state. Where the state was lost, the identity that the refusal names: the program then goes on with what is there.
   */
  owner?: pulumi.Input<string>;
}

const node = z.strictObject({
  slot,
  role: role.default("worker"),
  internalIp: ipv4Text,
  kubeletConfig: kubeletConfig.optional(),
  ignorePreflightErrors: ignorePreflightErrors.optional(),
});

const clusterArgs = z.strictObject({
  clusterName: dnsLabel,
  nodes: z.record(dnsLabel, node),
  podCidr: cidrText,
  serviceCidr: cidrText,
  nodePrefix,
  dnsDomain,
  kubeProxyMode,
  scheduleOnControlPlane: z.boolean(),
  mirror: mirrorUrl.optional(),
  checksums: checksums.optional(),
  owner: ownerIdentity.optional(),
});

/** A cluster's arguments, complete and valid. */
export type ValidCluster = z.output<typeof clusterArgs>;

/**
 * Validates a cluster's arguments, with every problem at once, those of connections too. What of these is an Output is checked
 * apart. Nodes whose machines are gone for good are no part of the result.
 */
export function checkedCluster(name: string, args: ClusterArgs): pulumi.Output<ValidCluster> {
  const which = (gone: boolean): ClusterArgs["nodes"] =>
    Object.fromEntries(Object.entries(args.nodes).filter(([, machine]) => (machine.gone === true) === gone));
  const living = which(false);
  const connections = connectionProblems(living);
  try {
    const valid = checkedFields(name, { ...args, nodes: living }, which(true));
    if (connections.length > 0) {
      throw new InvalidInputError("Cluster args", []);
    }
    return valid;
  } catch (error) {
    throw error instanceof InvalidInputError
      ? new InvalidInputError(error.subject, [...error.problems, ...connections])
      : error;
  }
}

function checkedFields(name: string, args: ClusterArgs, gone: ClusterArgs["nodes"]): pulumi.Output<ValidCluster> {
  return checked(
    "Cluster args",
    clusterArgs,
    {
      clusterName: args.clusterName ?? name,
      nodes: Object.fromEntries(
        Object.entries(args.nodes).map(
          ([
            nodeName,
            { slot: number, role: part, internalIp, kubeletConfig: config, ignorePreflightErrors: ignored },
          ]) => [
            nodeName,
            { slot: number, role: part ?? "worker", internalIp, kubeletConfig: config, ignorePreflightErrors: ignored },
          ],
        ),
      ),
      podCidr: args.podCidr,
      serviceCidr: args.serviceCidr,
      nodePrefix: args.nodePrefix ?? 24,
      dnsDomain: args.dnsDomain ?? "cluster.local",
      kubeProxyMode: args.kubeProxyMode ?? "auto",
      scheduleOnControlPlane: args.scheduleOnControlPlane ?? false,
      mirror: args.mirror,
      checksums: args.checksums,
      owner: args.owner,
    },
    ({ nodes = {}, podCidr, serviceCidr, nodePrefix: prefix }) => [
      ...topologyProblems({ podCidr, serviceCidr, nodePrefix: prefix, nodes: { ...nodes, ...gone } }),
      ...addressProblems(
        Object.fromEntries(Object.entries(nodes).map(([nodeName, known]) => [nodeName, known?.internalIp])),
        { "pod CIDR": podCidr, "service CIDR": serviceCidr },
      ),
    ],
  );
}
