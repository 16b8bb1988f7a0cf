import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { NODE_SCRIPT, REMOVE_NODE_SCRIPT } from "./docker";
import { localCommand, scriptText } from "../node/command";
import type { NodeArgs, SshConnection } from "../machine/NodeArgs";

/** What describes one node of a lab; its Lab fills it in. */
export interface LabNodeArgs {
  slot: number;
  role: string;
  labName: pulumi.Input<string>;
  /** Docker network of the lab, made by the Lab. */
  network: pulumi.Input<string>;
  nodeName: string;
  /** IPv4 address in the lab's network. */
  address: pulumi.Input<string>;
  image: pulumi.Input<string>;
  /** Lab's key pair in OpenSSH form; the private one is a secret. */
  publicKey: pulumi.Input<string>;
  privateKey: pulumi.Input<string>;
  /** Folder of the engine's machine that is mounted into the node; empty for none. */
  mirrorDir: pulumi.Input<string>;
  /** Environment of the docker client. */
  environment: pulumi.Input<Record<string, string>>;
}

/**
 * A container that boots systemd and sshd and is reached over SSH alone, like any machine. Its host key is made with it
 * and pinned.
 */
export class LabNode extends pulumi.ComponentResource implements NodeArgs {
  readonly slot: number;
  readonly role: string;
  readonly internalIp: pulumi.Output<string>;
  readonly connection: SshConnection;
  readonly deletedWith: pulumi.Resource;
  /** Room on a lab's disk is the host's business: no pod is evicted for it. */
  readonly kubeletConfig = {
    evictionHard: { "imagefs.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%" },
    imageGCHighThresholdPercent: 100,
  };
  /** Checks about the host's kernel and memory, which a container shares with it. */
  readonly ignorePreflightErrors = ["SystemVerification", "Swap", "Mem", "NumCPU"];

  constructor(name: string, args: LabNodeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("podnet:index:LabNode", name, {}, opts);
    const container = pulumi.interpolate`${args.labName}-${args.nodeName}`;
    const machine = new command.local.Command(
      `${name}-container`,
      {
        create: localCommand("create"),
        update: `docker exec "$CONTAINER" cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub`,
        delete: localCommand("delete"),
        stdin: scriptText({ create: NODE_SCRIPT, delete: REMOVE_NODE_SCRIPT }),
        environment: pulumi
          .all([
            args.environment,
            args.labName,
            args.network,
            container,
            args.address,
            args.image,
            args.publicKey,
            args.mirrorDir,
          ])
          .apply(([environment, LAB, NETWORK, CONTAINER, ADDRESS, IMAGE, PUBLIC_KEY, MIRROR_DIR]) => ({
            ...environment,
            LAB,
            NETWORK,
            CONTAINER,
            HOST: args.nodeName,
            ADDRESS,
            IMAGE,
            PUBLIC_KEY,
            MIRROR_DIR,
          })),
        triggers: [args.image, args.address, args.mirrorDir, args.publicKey],
        addPreviousOutputInEnv: false,
        logging: command.local.Logging.None,
      },
      { parent: this, deleteBeforeReplace: true, additionalSecretOutputs: ["stdout"] },
    );
    this.slot = args.slot;
    this.role = args.role;
    // The address is declared, but nobody may use it before the machine answers there.
    this.internalIp = pulumi.output(args.address);
    this.connection = {
      host: args.address,
      user: "root",
      privateKey: pulumi.secret(args.privateKey),
      hostKey: pulumi.secret(machine.stdout.apply((key) => key.trim())),
    };
    this.deletedWith = machine;
    this.registerOutputs({ internalIp: this.internalIp });
  }
}
