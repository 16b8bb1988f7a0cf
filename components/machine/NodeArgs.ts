import type * as pulumi from "@pulumi/pulumi";
import type { Json } from "../cluster/kubeadm/config";

/** How a machine is reached over SSH; the fields have the names of @pulumi/command's connection. */
export interface SshConnection {
  /** Host name or address. */
  host: pulumi.Input<string>;
  /** TCP port; 22 by default. */
  port?: pulumi.Input<number>;
  /** User who is root or may run `sudo -n`; root by default. */
  user?: pulumi.Input<string>;
  /** Private key in OpenSSH or PEM form: a secret. */
  privateKey: pulumi.Input<string>;
  /** The machine's public host key, as in a known_hosts line after the host. It is pinned: another one ends the connection. */
  hostKey: pulumi.Input<string>;
}

/** A machine that becomes a node of a cluster. */
export interface NodeArgs {
  /** Number of the node's subnet in the pod CIDR, from 0, unique in the cluster and kept for life. */
  slot: number;
  /** `control-plane` or `worker`, the default. */
  role?: string;
  /** IPv4 address that the other nodes reach this one by. */
  internalIp: pulumi.Input<string>;
  /** How podnet reaches the machine. */
  connection: SshConnection;
  /** Fields of this node's KubeletConfiguration that differ from the cluster's. */
  kubeletConfig?: Record<string, Json>;
  /** Names of kubeadm's preflight checks that may fail on this machine. */
  ignorePreflightErrors?: string[];
  /** A resource whose deletion ends the machine, so that nothing on it has to be undone first. */
  deletedWith?: pulumi.Resource;
}
