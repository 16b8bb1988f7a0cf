import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { checked } from "../args/checked";
import type { Json } from "../args/json";
import { ignorePreflightErrors, ipv4Text, kubeletConfig, role, slot } from "../args/schemas";
import { type SshConnection, sshConnection } from "./connection";
import type { Machine, Role } from "./Machine";

/** What describes a machine that exists already. */
export interface SshHostArgs {
  /** Number of the node's subnet in the pod CIDR, from 0, unique in the cluster and kept for life. */
  slot: number;
  /** `control-plane` or `worker`, the default. */
  role?: Role;
  /** IPv4 address that the other nodes reach this one by; the connection's host by default. */
  internalIp?: pulumi.Input<string>;
  /** How podnet reaches the machine. */
  connection: SshConnection;
  /** Fields of this node's KubeletConfiguration that differ from the cluster's. */
  kubeletConfig?: Record<string, Json>;
  /** Names of kubeadm's preflight checks that may fail on this machine. */
  ignorePreflightErrors?: string[];
  /** Whether the machine is gone for good; then its node is taken out of the cluster, and nothing on it is undone. */
  gone?: boolean;
}

const sshHostArgs = z.strictObject({
  slot,
  role: role.optional(),
  internalIp: ipv4Text.optional(),
  connection: sshConnection,
  kubeletConfig: kubeletConfig.optional(),
  ignorePreflightErrors: ignorePreflightErrors.optional(),
  gone: z.boolean().optional(),
});

/** A machine that exists already and is reached over SSH. It makes nothing: what a Cluster puts on it, the Cluster undoes. */
export class SshHost extends pulumi.ComponentResource implements Machine {
  /** Number of the node's subnet in the pod CIDR. */
  readonly slot: number;
  /** What the node is for. */
  readonly role: Role;
  /** IPv4 address that the other nodes reach this one by. */
  readonly internalIp: pulumi.Output<string>;
  /** How podnet reaches the machine; its private key is a secret. */
  readonly connection: SshConnection;
  /** Fields of this node's KubeletConfiguration that differ from the cluster's. */
  readonly kubeletConfig?: Record<string, Json>;
  /** Names of kubeadm's preflight checks that may fail on this machine. */
  readonly ignorePreflightErrors?: string[];
  /** Whether the machine is gone for good. */
  readonly gone: boolean;

  constructor(name: string, args: SshHostArgs, opts?: pulumi.ComponentResourceOptions) {
    super("podnet:index:SshHost", name, {}, opts);
    const valid = checked("SshHost args", sshHostArgs, args);
    this.slot = args.slot;
    this.role = args.role ?? "worker";
    this.gone = args.gone ?? false;
    if (args.kubeletConfig !== undefined) {
      this.kubeletConfig = args.kubeletConfig;
    }
    if (args.ignorePreflightErrors !== undefined) {
      this.ignorePreflightErrors = args.ignorePreflightErrors;
    }
    this.internalIp = pulumi.unsecret(valid.apply((value) => value.internalIp ?? value.connection.host));
    const { privateKey, privateKeyPassword } = args.connection;
    this.connection = {
      ...args.connection,
      privateKey: pulumi.secret(privateKey),
      ...(privateKeyPassword !== undefined && { privateKeyPassword: pulumi.secret(privateKeyPassword) }),
    };
    this.registerOutputs({ internalIp: this.internalIp });
  }
}
