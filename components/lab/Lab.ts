import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { checked } from "../args/checked";
import { absolutePath, cidrText, dnsLabel, dockerHost, image, role, secretText, slot } from "../args/schemas";
import { known } from "../args/known";
import { type JoinedName, noteNames } from "../args/names";
import { triggersOf } from "../args/triggers";
import { hereLine } from "../machine/here";
import type { Role } from "../machine/Machine";
import { bridgeOf, labIdentity, nodeAddress, ownerOf, roomProblems } from "./identity";
import type { LabHostInput, LabNetworkInput } from "./inputs";
import { LabNode } from "./LabNode";

/** One node of a lab. */
export interface LabNodePlace {
  /** Number of the node's subnet in the pod CIDR and its place in the lab's network, from 0, kept for life. */
  slot: number;
  /** `control-plane` or `worker`, the default. */
  role?: Role;
}

/** What describes a lab: local nodes that behave like machines. */
export interface LabArgs {
  /** Nodes by name. */
  nodes: Record<string, LabNodePlace>;
  /** Name of the lab on its host, and of all it makes there; derived from its own key by default. */
  labName?: string;
  /** Network of the nodes, a private IPv4 CIDR that no route of the host overlaps; a free /24 by default. */
  subnet?: string;
  /** The nodes' image in the container engine; `podnet-node:latest` by default, which podnet's `make up` makes. */
  image?: string;
  /** Address of the container engine, on this machine; DOCKER_HOST or Docker's own default by default. */
  dockerHost?: string;
  /** Folder of a mirror that the nodes can read at the same path, for a Cluster whose `mirror` is `file://` and this path. */
  mirrorDir?: string;
}

const labArgs = z.strictObject({
  labName: dnsLabel.optional(),
  subnet: cidrText.optional(),
  image: image.optional(),
  dockerHost: dockerHost.optional(),
  mirrorDir: absolutePath.optional(),
  nodes: z.record(dnsLabel, z.strictObject({ slot, role: role.optional() })),
});

const keyPair = z.strictObject({ privateKey: secretText, publicKey: z.string() });

/**
 * Containers of one L2 network that boot systemd, run their own sshd and containerd, and are reached over SSH like
 * machines. Needs Docker Engine on this machine. Refuses a subnet that one of the host's routes overlaps.
 */
export class Lab extends pulumi.ComponentResource {
  /** The nodes by name, for a Cluster. */
  readonly nodes: Readonly<Record<string, LabNode>>;
  /** The lab's name on its host. */
  readonly labName: pulumi.Output<string>;
  /** Network of the nodes. */
  readonly subnet: pulumi.Output<string>;

  constructor(name: string, args: LabArgs, opts?: pulumi.ComponentResourceOptions) {
    super("podnet:index:Lab", name, {}, opts);
    checked("Lab args", labArgs, args, ({ subnet, nodes = {} }) =>
      // A subnet that failed is not the default one.
      subnet === args.subnet ? roomProblems(subnet, Object.values(nodes)) : [],
    );
    noteLabNames(name, args);
    const keys = mintKeys(this, name);
    this.labName =
      args.labName === undefined ? keys.publicKey.apply((key) => labIdentity(key).name) : pulumi.output(args.labName);
    const engine = pulumi.all([this.labName, keys.publicKey]).apply(([labName, publicKey]) => ({
      labName,
      owner: ownerOf(publicKey),
      network: bridgeOf(labName),
      dockerHost: args.dockerHost,
    }));
    const nodes = Object.keys(args.nodes).length;
    const [controlPlane] = Object.entries(args.nodes).flatMap(([nodeName, place]) =>
      place.role === "control-plane" ? [{ nodeName, slot: place.slot }] : [],
    );
    // What bears another name, or is in another engine, is another lab: the old one is removed whole.
    const replacementTrigger = this.labName.apply((labName) => `${labName} ${args.dockerHost ?? ""}`);
    const host = new command.local.Command(
      `${name}-host`,
      {
        create: hereLine("lab-host"),
        delete: hereLine("lab-host", "--undo"),
        stdin: engine.apply((known) => JSON.stringify({ ...known, nodes, controlPlane } satisfies LabHostInput)),
        // By what it printed, an undo knows the run that it undoes.
        addPreviousOutputInEnv: true,
        logging: command.local.Logging.Stderr,
      },
      { parent: this, replacementTrigger },
    );
    const network = new command.local.Command(
      `${name}-network`,
      {
        create: hereLine("lab-network"),
        delete: hereLine("lab-network", "--undo"),
        stdin: engine.apply((known) => JSON.stringify({ ...known, subnet: args.subnet } satisfies LabNetworkInput)),
        triggers: triggersOf(args.subnet ?? "any"),
        addPreviousOutputInEnv: false,
        logging: command.local.Logging.Stderr,
      },
      { parent: this, dependsOn: host, deleteBeforeReplace: true, replacementTrigger },
    );
    this.subnet = args.subnet === undefined ? known(network.stdout) : pulumi.output(args.subnet);
    this.nodes = Object.fromEntries(
      Object.entries(args.nodes).map(([nodeName, place]) => [
        nodeName,
        new LabNode(
          `${name}-${nodeName}`,
          {
            slot: place.slot,
            role: place.role ?? "worker",
            nodeName,
            engine,
            address: this.subnet.apply((subnet) => nodeAddress(subnet, place.slot)),
            image: args.image ?? "podnet-node:latest",
            publicKey: keys.publicKey,
            privateKey: keys.privateKey,
            link: network.id,
            replacementTrigger,
            mirrorDir: args.mirrorDir,
          },
          { parent: this, dependsOn: network },
        ),
      ]),
    );
    this.registerOutputs({ labName: this.labName, subnet: this.subnet });
  }
}

/** Notes what a lab's nodes are called, as resources and, where its name on the host is known, as containers there. */
function noteLabNames(name: string, { nodes, labName, dockerHost: host }: LabArgs): void {
  const joined = (start: string): JoinedName[] =>
    Object.keys(nodes).map((nodeName) => ({
      name: `${start}-${nodeName}`,
      path: `nodes.${nodeName}`,
      of: `node "${nodeName}" of the Lab "${name}"`,
    }));
  noteNames("Lab args", "node of a Lab", joined(name));
  if (labName !== undefined) {
    const engine = `of the engine ${host ?? "by default"}`;
    noteNames("Lab args", `lab ${engine}`, [{ name: labName, path: "labName", of: `the Lab "${name}"` }]);
    noteNames("Lab args", `container ${engine}`, joined(labName));
  }
}

/** Reads a minted key pair; podnet 0.1 printed both keys as they are, the public one last. */
function parseKeys(text: string): z.output<typeof keyPair> {
  const old = /^(-----BEGIN [\s\S]+-----\n)(ssh-ed25519 .+)\s*$/.exec(text);
  return keyPair.parse(old ? { privateKey: old[1], publicKey: old[2] } : JSON.parse(text));
}

/** Mints the lab's SSH key pair, once: one that changed would lock podnet out of the nodes that have the old one. */
function mintKeys(
  parent: pulumi.Resource,
  name: string,
): { readonly privateKey: pulumi.Output<string>; readonly publicKey: pulumi.Output<string> } {
  const keys = new command.local.Command(
    `${name}-keys`,
    { create: hereLine("lab-keys"), addPreviousOutputInEnv: false, logging: command.local.Logging.None },
    {
      parent,
      additionalSecretOutputs: ["stdout"],
      ignoreChanges: ["create", "stdin", "logging", "addPreviousOutputInEnv"],
    },
  );
  const pair = known(keys.stdout).apply(parseKeys);
  return {
    privateKey: pulumi.secret(pair.apply(({ privateKey }) => privateKey)),
    publicKey: pulumi.unsecret(pair.apply(({ publicKey }) => publicKey)),
  };
}
