import * as pulumi from "@pulumi/pulumi";
import { checkedConnection, type SshConnection } from "../machine/connection";
import type { Machine, Role } from "../machine/Machine";
import { imageLines } from "../node/images";
import { applyPhase, GONE, type NodeHandle, uploadProgram } from "../node/phase";
import { imagesOf, KUBERNETES_VERSION, PAUSE_IMAGE, releaseFiles } from "../node/releases";
import type { Parameters } from "../node/parameters";
import type { ValidCluster } from "./args";

/** One node of a cluster. */
export interface ClusterNode {
  /** Name of the node, and of its Node object. */
  readonly nodeName: string;
  /** What it is for. */
  readonly role: Role;
  /** IPv4 address that the other nodes reach it by. */
  readonly internalIp: pulumi.Output<string>;
  /** A text that becomes another one when its link to the other nodes is made anew. */
  readonly link: pulumi.Input<string> | undefined;
  /** Addresses of its pods: its slot's subnet of the cluster's pod CIDR. */
  readonly podCidr: pulumi.Output<string>;
  /**
   * The node as its program is reached.
   * @internal
   */
  readonly handle: NodeHandle;
  /**
   * The resource after which a pod network can be installed on the machine.
   * @internal
   */
  readonly installed: pulumi.Resource;
}

/** Addresses of a node, by its name. */
export type AddressesOf = (nodeName: string) => { readonly internalIp: string; readonly podCidr: string };

/** What all nodes of a cluster have in common while they are made. */
export interface NodeContext {
  readonly parent: pulumi.Resource;
  readonly name: string;
  /** A function, since Pulumi walks through a value at each of its steps, and one that holds all nodes would be walked for each. */
  readonly addressesOf: pulumi.Output<AddressesOf>;
  readonly takeParameters: pulumi.Output<Parameters>;
  readonly installParameters: Readonly<Record<Role, pulumi.Output<Parameters>>>;
  readonly owner: pulumi.Output<string>;
  /** URNs of the resources before which no machine is touched: it carries them as its dependencies. */
  readonly gate: pulumi.Output<string[]>;
}

/** Checksums of the releases where the mirror's files differ from the official ones: `NAME SHA256` lines. */
function sumLines(checksums: Readonly<Record<string, string>> | undefined): string[] {
  const files = releaseFiles("amd64").concat(releaseFiles("arm64"));
  return files.flatMap(({ name, path, sha256 }) => {
    const sum = checksums?.[path];
    return sum === undefined || sum === sha256 ? [] : [`${name} ${sum}`];
  });
}

/** The images that a mirror has for a node of this role, as lines; the others are pulled when they are needed. */
function mirrored(role: Role, checksums: Readonly<Record<string, string>> | undefined): string[] {
  return imageLines(imagesOf(role), checksums).filter((line) => line.includes(" "));
}

/** Parameters of the phase `install`, which are the same for all nodes of a role. */
export function installParameters(
  role: Role,
  { mirror, checksums }: Pick<ValidCluster, "mirror" | "checksums">,
): Parameters {
  return {
    role,
    kubernetes: KUBERNETES_VERSION,
    "pause-image": PAUSE_IMAGE,
    mirror,
    sum: sumLines(checksums),
    image: mirrored(role, checksums),
  };
}

/**
 * Makes a machine a node: uploads the program, takes the machine, installs the runtime. Where it is gone for good, resources that it
 * never had are made on `instead`, where they do nothing.
 */
export function makeNode(
  context: NodeContext,
  nodeName: string,
  machine: Machine,
  instead: SshConnection = machine.connection,
): ClusterNode {
  const { parent, name, owner, addressesOf } = context;
  const role = machine.role ?? "worker";
  const connection = checkedConnection(nodeName, machine.gone === true ? instead : machine.connection);
  const program = uploadProgram(`${name}-${nodeName}-program`, connection, context.gate, {
    parent,
    deletedWith: machine.deletedWith,
    ...(machine.gone === true && GONE),
  });
  const handle = {
    nodeName,
    connection,
    owner,
    program,
    deletedWith: machine.deletedWith,
    gone: machine.gone === true,
    applies: [],
  };
  const taken = applyPhase(
    `${name}-${nodeName}-take`,
    handle,
    { phase: "take", parameters: context.takeParameters },
    { parent, dependsOn: program },
  );
  const installed = applyPhase(
    `${name}-${nodeName}-install`,
    handle,
    { phase: "install", parameters: context.installParameters[role] },
    { parent, dependsOn: taken.resource },
  );
  return {
    nodeName,
    role,
    internalIp: addressesOf.apply((of) => of(nodeName).internalIp),
    link: machine.link,
    podCidr: addressesOf.apply((of) => of(nodeName).podCidr),
    handle,
    installed: installed.resource,
  };
}
