import type * as pulumi from "@pulumi/pulumi";
import type { Json } from "../args/json";
import type { SshConnection } from "./connection";

/** What a node is for: the control plane runs the API server, a worker runs pods only. */
export type Role = "control-plane" | "worker";

/** A machine that becomes a node of a cluster: an SshHost, a node of a Lab, or anything with these fields. */
export interface Machine {
  /** Number of the node's subnet in the pod CIDR, from 0, unique in the cluster and kept for life. */
  slot: number;
  /** `control-plane` or `worker`, the default. */
  role?: Role;
  /** IPv4 address that the other nodes reach this one by. */
  internalIp: pulumi.Input<string>;
  /** How podnet reaches the machine. */
  connection: SshConnection;
  /** Fields of this node's KubeletConfiguration that differ from the cluster's. */
  kubeletConfig?: Record<string, Json>;
  /** Names of kubeadm's preflight checks that may fail on this machine. */
  ignorePreflightErrors?: string[];
  /**
   * Whether the machine is gone for good: its node is taken out of the cluster, and nothing on it is undone when it is taken out
   * of the program after that.
   */
  gone?: boolean;
  /**
   * A text that becomes another one when the machine's link to the other nodes is made anew, which takes its routes away: the pod
   * network is applied on it again then, and proven.
   */
  link?: pulumi.Input<string>;
  /** A resource whose deletion ends the machine, so that nothing on it has to be undone first. */
  deletedWith?: pulumi.Resource;
}
