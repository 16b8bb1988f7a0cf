import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { claimScript, installScript, uninstallScript } from "./install";
import { remoteCommand, scriptText } from "./command";
import type { SshConnection } from "../machine/NodeArgs";
import { connectionTo } from "../machine/connection";

/** What describes the runtime of one node. */
export interface NodeRuntimeArgs {
  nodeName: string;
  role: string;
  /** Name of the cluster that the machine is taken for. */
  clusterName: pulumi.Input<string>;
  connection: SshConnection;
  /** Base URL of a mirror in the upstream's layout; the upstream itself by default. */
  mirror?: pulumi.Input<string | undefined>;
  /** SHA-256 of the mirror's files by path. */
  checksums?: pulumi.Input<Record<string, string> | undefined>;
  /** A resource whose deletion ends the machine. */
  deletedWith?: pulumi.Resource;
  /** Resources after which it is known that the machine is fit. */
  preflight?: pulumi.Resource[];
}

/**
 * containerd, runc, the kubelet, kubeadm, kubectl, crictl and the CNI plugins on one machine, each checksummed on arrival,
 * with the kernel settings they need. A claim comes first, whose deletion takes everything off again, so that even what a
 * failed run left behind goes with a destroy.
 */
export class NodeRuntime extends pulumi.ComponentResource {
  /** The command after which the machine is podnet's own. */
  readonly claimed: pulumi.Resource;
  /** The command after which the machine can become a node. */
  readonly installed: pulumi.Resource;

  constructor(name: string, args: NodeRuntimeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("podnet:index:NodeRuntime", name, {}, opts);
    const connection = connectionTo(args.nodeName, args.connection);
    const role = args.role === "control-plane" ? "control-plane" : "worker";
    const options = { lock: "machine", timeout: 1800 };
    const claim = new command.remote.Command(
      `${name}-claim`,
      {
        connection,
        create: remoteCommand("create", options),
        delete: remoteCommand("delete", options),
        stdin: pulumi
          .output(args.clusterName)
          .apply((cluster) => scriptText({ create: claimScript(cluster), delete: uninstallScript() })),
        addPreviousOutputInEnv: false,
        logging: command.remote.Logging.Stderr,
      },
      { parent: this, dependsOn: args.preflight ?? [], deletedWith: args.deletedWith },
    );
    this.claimed = claim;
    this.installed = new command.remote.Command(
      `${name}-install`,
      {
        connection,
        create: remoteCommand("create", options),
        stdin: pulumi
          .all([args.mirror, args.checksums])
          .apply(([mirror, checksums]) => scriptText({ create: installScript({ role, mirror, checksums }) })),
        addPreviousOutputInEnv: false,
        logging: command.remote.Logging.Stderr,
      },
      { parent: this, dependsOn: claim, deletedWith: args.deletedWith },
    );
    this.registerOutputs({});
  }
}
