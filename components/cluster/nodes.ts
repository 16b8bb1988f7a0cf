import * as pulumi from "@pulumi/pulumi";
import { checkedConnection } from "../machine/connection";
import type { Machine, Role } from "../machine/Machine";
import { imageLines } from "../node/images";
import { applyPhase, type NodeHandle, uploadProgram } from "../node/phase";
import { imagesOf, KUBERNETES_VERSION, PAUSE_IMAGE, releaseFiles } from "../node/releases";
import type { ValidCluster } from "./args";

/** One node of a cluster. */
export interface ClusterNode {
  /** Name of the node, and of its Node object. */
  readonly nodeName: string;
  /** What it is for. */
  readonly role: Role;
  /** IPv4 address that the other nodes reach it by. */
  readonly internalIp: pulumi.Output<string>;
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

/** What all nodes of a cluster have in common while they are made. */
export interface NodeContext {
  readonly parent: pulumi.Resource;
  readonly name: string;
  readonly valid: pulumi.Output<ValidCluster>;
  readonly podCidrs: pulumi.Output<Readonly<Record<string, string>>>;
  readonly owner: pulumi.Output<string>;
  /** Resources before which no machine is touched. */
  readonly gate: Promise<pulumi.Resource[]>;
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

/** Makes a machine a node: uploads the program, takes the machine, installs the runtime. */
export function makeNode(context: NodeContext, nodeName: string, machine: Machine): ClusterNode {
  const { parent, name, valid, owner } = context;
  const role = machine.role ?? "worker";
  const connection = checkedConnection(nodeName, machine.connection);
  const program = uploadProgram(`${name}-${nodeName}-program`, connection, {
    parent,
    dependsOn: context.gate,
    deletedWith: machine.deletedWith,
  });
  const handle = { nodeName, connection, owner, program, deletedWith: machine.deletedWith };
  const taken = applyPhase(
    `${name}-${nodeName}-take`,
    handle,
    { phase: "take", parameters: valid.apply(({ clusterName }) => ({ cluster: clusterName })) },
    { parent, dependsOn: program },
  );
  const installed = applyPhase(
    `${name}-${nodeName}-install`,
    handle,
    {
      phase: "install",
      parameters: valid.apply(({ mirror, checksums }) => ({
        role,
        kubernetes: KUBERNETES_VERSION,
        "pause-image": PAUSE_IMAGE,
        mirror,
        sum: sumLines(checksums),
        image: mirrored(role, checksums),
      })),
    },
    { parent, dependsOn: taken.resource },
  );
  return {
    nodeName,
    role,
    internalIp: valid.apply(({ nodes }) => nodes[nodeName]?.internalIp ?? ""),
    podCidr: context.podCidrs.apply((podCidrs) => podCidrs[nodeName] ?? ""),
    handle,
    installed: installed.resource,
  };
}
