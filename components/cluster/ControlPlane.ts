import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Json } from "./kubeadm/config";
import { parseControlPlane } from "./kubeadm/output";
import { initScript, resetScript } from "./kubeadm/scripts";
import { KUBERNETES_VERSION } from "../node/releases";
import { remoteCommand, scriptText } from "../node/command";
import type { SshConnection } from "../machine/NodeArgs";
import { connectionTo } from "../machine/connection";

/** What describes a control plane of one node. */
export interface ControlPlaneArgs {
  nodeName: string;
  clusterName: pulumi.Input<string>;
  internalIp: pulumi.Input<string>;
  connection: SshConnection;
  /** Pod CIDR of the whole cluster. */
  podCidr: pulumi.Input<string>;
  /** Pod CIDR of this node. */
  nodePodCidr: pulumi.Input<string>;
  serviceCidr: pulumi.Input<string>;
  dnsDomain: pulumi.Input<string>;
  /** `auto` is nftables where the machine has it, else iptables. */
  kubeProxyMode: pulumi.Input<string>;
  /** Whether ordinary pods may run on it too. */
  schedulable: pulumi.Input<boolean>;
  kubeletConfig?: Record<string, Json>;
  ignorePreflightErrors?: string[];
  deletedWith?: pulumi.Resource;
}

/** A Kubernetes control plane with stacked etcd, CoreDNS and kube-proxy, made by kubeadm. */
export class ControlPlane extends pulumi.ComponentResource {
  /** Kubeconfig of the cluster's administrator, by the host that podnet reaches the machine at: a secret. */
  readonly kubeconfig: pulumi.Output<string>;
  /** Hash of the cluster CA's public key, which workers pin. */
  readonly caCertHash: pulumi.Output<string>;
  /** API server as `host:port`, for the nodes. */
  readonly endpoint: pulumi.Output<string>;
  /** The command after which the API server answers. */
  readonly initialized: pulumi.Resource;

  constructor(name: string, args: ControlPlaneArgs, opts?: pulumi.ComponentResourceOptions) {
    super("podnet:index:ControlPlane", name, {}, opts);
    const connection = connectionTo(args.nodeName, args.connection);
    const stdin = pulumi
      .output({
        clusterName: args.clusterName,
        internalIp: args.internalIp,
        podCidr: args.podCidr,
        nodePodCidr: args.nodePodCidr,
        serviceCidr: args.serviceCidr,
        dnsDomain: args.dnsDomain,
        kubeProxyMode: args.kubeProxyMode,
        schedulable: args.schedulable,
        host: connection.host,
      })
      .apply(({ kubeProxyMode, schedulable, host, ...rest }) =>
        scriptText({
          create: initScript({
            ...rest,
            nodeName: args.nodeName,
            certSans: [host],
            kubernetesVersion: KUBERNETES_VERSION,
            kubeProxyMode: kubeProxyMode === "nftables" || kubeProxyMode === "iptables" ? kubeProxyMode : "auto",
            tainted: !schedulable,
            kubeletConfig: args.kubeletConfig ?? {},
            ignorePreflightErrors: args.ignorePreflightErrors ?? [],
          }),
          delete: resetScript(),
        }),
      );
    const options = { lock: "kubeadm", timeout: 900 };
    const init = new command.remote.Command(
      `${name}-init`,
      {
        connection,
        create: remoteCommand("create", options),
        delete: remoteCommand("delete", options),
        stdin,
        // None of these can change in a cluster that lives.
        triggers: [args.podCidr, args.nodePodCidr, args.serviceCidr, args.dnsDomain, args.internalIp],
        addPreviousOutputInEnv: false,
        logging: command.remote.Logging.None,
      },
      {
        parent: this,
        deleteBeforeReplace: true,
        additionalSecretOutputs: ["stdout"],
        deletedWith: args.deletedWith,
        customTimeouts: { create: "20m" },
      },
    );
    const output = pulumi.secret(
      pulumi.all([init.stdout, connection.host]).apply(([stdout, host]) => parseControlPlane(stdout, host)),
    );
    this.kubeconfig = output.kubeconfig;
    this.caCertHash = output.caCertHash;
    this.endpoint = pulumi.interpolate`${args.internalIp}:6443`;
    this.initialized = init;
    this.registerOutputs({ kubeconfig: this.kubeconfig });
  }
}
