import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Json } from "../args/json";
import { known } from "../args/known";
import { triggersOf } from "../args/triggers";
import type { SshConnection } from "../machine/connection";
import { hereLine } from "../machine/here";
import type { Machine, Role } from "../machine/Machine";
import type { LabNodeInput } from "./inputs";

/** What describes one node of a lab; its Lab fills it in. */
export interface LabNodeArgs {
  readonly slot: number;
  readonly role: Role;
  readonly nodeName: string;
  /** Names of the lab and its network, its stack's mark, and the engine's address. */
  readonly engine: pulumi.Output<Pick<LabNodeInput, "labName" | "owner" | "network" | "dockerHost">>;
  /** IPv4 address in the lab's network. */
  readonly address: pulumi.Output<string>;
  readonly image: string;
  /** Lab's key pair in OpenSSH form; the private one is a secret. */
  readonly publicKey: pulumi.Output<string>;
  readonly privateKey: pulumi.Output<string>;
  /** Name of the lab's network as it was made: another one has made the node's link anew. */
  readonly link: pulumi.Output<string>;
  /** Another one has the node made anew. */
  readonly replacementTrigger: pulumi.Output<string>;
  /** Folder of the engine's machine that is mounted into the node. */
  readonly mirrorDir?: string | undefined;
}

/**
 * A container that boots systemd and sshd and is reached over SSH alone, like any machine. Its host key is made with it
 * and pinned.
 */
export class LabNode extends pulumi.ComponentResource implements Machine {
  /** Number of the node's subnet in the pod CIDR and its place in the lab's network. */
  readonly slot: number;
  /** What the node is for. */
  readonly role: Role;
  /** IPv4 address in the lab's network. */
  readonly internalIp: pulumi.Output<string>;
  /** How podnet reaches the node: over SSH as root, with the lab's own key. */
  readonly connection: SshConnection;
  /** Name of the lab's network as it was made: another one has made the node's link anew. */
  readonly link: pulumi.Output<string>;
  /** The container, whose deletion ends all that is in it. */
  readonly deletedWith: pulumi.Resource;
  /** A lab's disk is its host's: no pod is evicted because it is full. */
  readonly kubeletConfig: Record<string, Json> = {
    evictionHard: { "imagefs.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%" },
    imageGCHighThresholdPercent: 100,
  };
  /** Checks about the host's kernel and memory, which a container shares with it. */
  readonly ignorePreflightErrors: string[] = ["SystemVerification", "Swap", "Mem", "NumCPU"];

  /** @internal */
  constructor(name: string, args: LabNodeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("podnet:index:LabNode", name, {}, opts);
    const { nodeName, image, mirrorDir, address, publicKey } = args;
    const stdin = pulumi.all([args.engine, address, publicKey]).apply(([engine, at, key]) =>
      JSON.stringify({
        ...engine,
        nodeName,
        address: at,
        image,
        publicKey: key,
        mirrorDir,
      } satisfies LabNodeInput),
    );
    const machine = new command.local.Command(
      `${name}-container`,
      {
        create: hereLine("lab-node"),
        update: hereLine("lab-node", "--update"),
        delete: hereLine("lab-node", "--undo"),
        stdin,
        triggers: triggersOf(image, address, mirrorDir ?? "", publicKey),
        addPreviousOutputInEnv: false,
        logging: command.local.Logging.Stderr,
      },
      {
        parent: this,
        deleteBeforeReplace: true,
        replacementTrigger: args.replacementTrigger,
        additionalSecretOutputs: ["stdout"],
      },
    );
    this.slot = args.slot;
    this.role = args.role;
    this.internalIp = address;
    this.connection = {
      // The address is declared, but nobody may dial it before the machine answers there.
      host: address,
      user: "root",
      privateKey: args.privateKey,
      hostKey: pulumi.secret(known(machine.stdout).apply((key) => key.trim())),
    };
    this.link = args.link;
    this.deletedWith = machine;
    this.registerOutputs({ internalIp: this.internalIp });
  }
}
