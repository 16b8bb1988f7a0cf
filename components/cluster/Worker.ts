import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Json } from "./kubeadm/config";
import { joinScript, registerScript, removeNodeScript, resetScript, tokenScript } from "./kubeadm/scripts";
import { remoteCommand, scriptText } from "../node/command";
import type { SshConnection } from "../machine/NodeArgs";
import type { ControlPlane } from "./ControlPlane";
import { connectionTo } from "../machine/connection";

/** What describes a worker. */
export interface WorkerArgs {
  nodeName: string;
  internalIp: pulumi.Input<string>;
  /** Pod CIDR of this node. */
  nodePodCidr: pulumi.Input<string>;
  connection: SshConnection;
  /** The control plane to join, and how its machine is reached: it mints the token and removes the node. */
  controlPlane: ControlPlane;
  controlPlaneName: string;
  controlPlaneConnection: SshConnection;
  kubeletConfig?: Record<string, Json>;
  ignorePreflightErrors?: string[];
  deletedWith?: pulumi.Resource;
  /** A resource whose deletion ends the control plane's machine. */
  controlPlaneDeletedWith?: pulumi.Resource;
}

/** A node that joins by a bootstrap token of its own. Deleting it drains it, takes it out of the cluster and resets it. */
export class Worker extends pulumi.ComponentResource {
  /** The command after which the node is registered with its pod CIDR. */
  readonly registered: pulumi.Resource;

  constructor(name: string, args: WorkerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("podnet:index:Worker", name, {}, opts);
    const control = connectionTo(args.controlPlaneName, args.controlPlaneConnection);
    const tokenOptions = { lock: `token-${args.nodeName}`, timeout: 60 };
    const token = new command.remote.Command(
      `${name}-token`,
      {
        connection: control,
        create: remoteCommand("create", tokenOptions),
        stdin: scriptText({ create: tokenScript() }),
        triggers: [args.controlPlane.caCertHash],
        addPreviousOutputInEnv: false,
        logging: command.remote.Logging.None,
      },
      {
        parent: this,
        dependsOn: args.controlPlane.initialized,
        additionalSecretOutputs: ["stdout"],
        deletedWith: args.controlPlaneDeletedWith,
      },
    );
    const joinOptions = { lock: "kubeadm", timeout: 600 };
    const join = new command.remote.Command(
      `${name}-join`,
      {
        connection: connectionTo(args.nodeName, args.connection),
        create: remoteCommand("create", joinOptions),
        delete: remoteCommand("delete", joinOptions),
        stdin: pulumi.secret(
          pulumi
            .all([args.internalIp, args.controlPlane.endpoint, token.stdout, args.controlPlane.caCertHash])
            .apply(([internalIp, endpoint, bootstrapToken, caCertHash]) =>
              scriptText({
                create: joinScript({
                  nodeName: args.nodeName,
                  internalIp,
                  endpoint,
                  token: bootstrapToken.trim(),
                  caCertHash,
                  kubeletConfig: args.kubeletConfig ?? {},
                  ignorePreflightErrors: args.ignorePreflightErrors ?? [],
                }),
                delete: resetScript(),
              }),
            ),
        ),
        triggers: [args.nodePodCidr, args.internalIp],
        addPreviousOutputInEnv: false,
        logging: command.remote.Logging.None,
      },
      { parent: this, deleteBeforeReplace: true, deletedWith: args.deletedWith },
    );
    const registerOptions = { lock: `node-${args.nodeName}`, timeout: 240 };
    this.registered = new command.remote.Command(
      `${name}-register`,
      {
        connection: control,
        create: remoteCommand("create", registerOptions),
        delete: remoteCommand("delete", registerOptions),
        stdin: pulumi.output(args.nodePodCidr).apply((nodePodCidr) =>
          scriptText({
            create: registerScript(args.nodeName, nodePodCidr),
            delete: removeNodeScript(args.nodeName),
          }),
        ),
        triggers: [args.nodePodCidr, args.internalIp],
        addPreviousOutputInEnv: false,
        logging: command.remote.Logging.Stderr,
      },
      { parent: this, dependsOn: join, deleteBeforeReplace: true, deletedWith: args.controlPlaneDeletedWith },
    );
    this.registerOutputs({});
  }
}
