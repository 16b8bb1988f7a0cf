import { execFileSync } from "node:child_process";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { labArgs } from "../args/components";
import { KEYS_SCRIPT, NETWORK_SCRIPT, parseKeys, REMOVE_NETWORK_SCRIPT } from "./docker";
import {
  bridgeOf,
  chooseSubnet,
  HOST_ROUTES,
  labIdentity,
  nodeAddress,
  parseHostRoutes,
  subnetProblems,
} from "./identity";
import { localCommand, scriptText } from "../node/command";
import { checked } from "../args/checked";
import { LabNode } from "./LabNode";

/** What describes a lab: local nodes that behave like machines. */
export interface LabArgs {
  /** Nodes by name; a slot is also the node's place in the lab's network. */
  nodes: Record<string, { slot: number; role?: string }>;
  /** Name of the lab on its host, and of all it makes there; derived from the project's folder by default. */
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

/**
 * Containers of one L2 network that boot systemd, run their own sshd and containerd, and are reached over SSH like
 * machines. Needs Docker Engine on this machine. Refuses a subnet that one of the host's routes overlaps.
 */
export class Lab extends pulumi.ComponentResource {
  /** The nodes by name, for a Cluster. */
  readonly nodes: Readonly<Record<string, LabNode>>;
  /** The lab's name on its host. */
  readonly labName: string;
  /** Network of the nodes. */
  readonly subnet: string;

  constructor(name: string, args: LabArgs, opts?: pulumi.ComponentResourceOptions) {
    super("podnet:index:Lab", name, {}, opts);
    const routes = parseHostRoutes(execFileSync("ip", HOST_ROUTES, { encoding: "utf8" }));
    const identity = labIdentity(process.cwd());
    const labName = args.labName ?? identity.name;
    const bridge = bridgeOf(labName);
    checked("Lab args", labArgs, args, () =>
      args.subnet === undefined
        ? []
        : subnetProblems(args.subnet, routes, { ...identity, bridge }, Object.values(args.nodes)),
    );
    const subnet = args.subnet ?? chooseSubnet({ ...identity, bridge }, routes);
    const environment: Record<string, string> = args.dockerHost === undefined ? {} : { DOCKER_HOST: args.dockerHost };
    const keys = new command.local.Command(
      `${name}-keys`,
      {
        create: localCommand("create"),
        stdin: scriptText({ create: KEYS_SCRIPT }),
        addPreviousOutputInEnv: false,
        logging: command.local.Logging.None,
      },
      // A key that changed would lock podnet out of the nodes that have the old one.
      {
        parent: this,
        additionalSecretOutputs: ["stdout"],
        ignoreChanges: ["create", "stdin", "logging", "addPreviousOutputInEnv"],
      },
    );
    const pair = keys.stdout.apply(parseKeys);
    const network = new command.local.Command(
      `${name}-network`,
      {
        create: localCommand("create"),
        delete: localCommand("delete"),
        stdin: scriptText({ create: NETWORK_SCRIPT, delete: REMOVE_NETWORK_SCRIPT }),
        environment: { ...environment, LAB: labName, NETWORK: bridge, SUBNET: subnet },
        triggers: [subnet],
        addPreviousOutputInEnv: false,
        logging: command.local.Logging.None,
      },
      { parent: this, deleteBeforeReplace: true },
    );
    this.labName = labName;
    this.subnet = subnet;
    this.nodes = Object.fromEntries(
      Object.entries(args.nodes).map(([nodeName, { slot, role }]) => [
        nodeName,
        new LabNode(
          `${name}-${nodeName}`,
          {
            slot,
            role: role ?? "worker",
            labName,
            network: bridge,
            nodeName,
            address: nodeAddress(subnet, slot),
            image: args.image ?? "podnet-node:latest",
            publicKey: pulumi.unsecret(pair.apply(({ publicKey }) => publicKey)),
            privateKey: pair.privateKey,
            mirrorDir: args.mirrorDir ?? "",
            environment,
          },
          { parent: this, dependsOn: network },
        ),
      ]),
    );
    this.registerOutputs({ labName, subnet });
  }
}
