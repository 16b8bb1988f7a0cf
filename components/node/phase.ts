import { relative } from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { known } from "../args/known";
import { type CheckedConnection, mapped } from "../machine/connection";
import { asRoot } from "../machine/shell";
import { NOTHING_LEFT, type Phase, startWords, UPLOAD } from "./ask";
import { answerLines, nonceIn, type Parameters, parametersText } from "./parameters";
import { phaseHash, programFolder } from "./programFiles";

/** A node as the program on it is reached and marked. */
export interface NodeHandle {
  readonly nodeName: string;
  readonly connection: CheckedConnection;
  /** Identity of the stack's cluster, which it minted once: the owner's mark on the node. */
  readonly owner: pulumi.Output<string>;
  /** The upload of the program, after which phases can run. */
  readonly program: pulumi.Resource;
  /** A resource whose deletion ends the machine. */
  readonly deletedWith: pulumi.Resource | undefined;
  /** Whether the machine is gone for good: its resources stay as they are, and are forgotten when they are deleted. */
  readonly gone: boolean;
  /** What applies a phase on the machine. Each is added as its resource is made. */
  readonly applies: Applying[];
}

/** A resource that applies a phase on a node. */
export interface Applying {
  readonly phase: Phase;
  /** Name of the resource. */
  readonly name: string;
  /** The phase's parameters, as they were applied last. */
  readonly parameters: pulumi.Output<string | undefined>;
}

/** What a phase's resource is made of. */
export interface PhaseArgs {
  readonly phase: Phase;
  /** The phase's own parameters; owner, node and the hash of its files are added. */
  readonly parameters: pulumi.Input<Parameters>;
  /** Kind of network whose part of the program the phase runs. */
  readonly network?: pulumi.Input<string>;
  /** Whether other files of the program are no reason to apply the phase again. */
  readonly withoutFiles?: boolean;
  /** Whether the parameters hold a secret. */
  readonly secret?: boolean;
  /** Whether the answer is a secret. */
  readonly secretAnswer?: boolean;
  /** Another value makes the phase be applied again, whatever its parameters: in a preview they stay readable beside it. */
  readonly again?: pulumi.Input<string>;
}

/** A phase on a node, as a resource. */
export interface AppliedPhase {
  readonly resource: command.remote.Command;
  /** Lines of the program's answer. An update fails, naming the node, when there is none. */
  readonly answer: pulumi.Output<string[]>;
}

/** Options of a resource on a machine that is gone: nothing is asked of the machine any more, whatever is declared of it. */
export const GONE: pulumi.CustomResourceOptions = {
  retainOnDelete: true,
  ignoreChanges: [
    ...["connection", "create", "update", "delete", "stdin", "triggers", "logging", "addPreviousOutputInEnv"],
    ...["source", "remotePath"],
  ],
};

/** Words of a command that reads what it is given, and does nothing. */
const NOTHING = "cksum";

/** Path by which Pulumi's engine finds the program's folder: relative to the program, so that no plan holds a path of its machine. */
function archivePath(): string {
  const folder = programFolder();
  // A program inside the Automation API has a working directory of its own, which the engine does not share.
  const inline = pulumi.runtime.hasEngine() && !/[\\/]cmd[\\/]run[\\/]/.test(require.main?.filename ?? "");
  return `${inline ? folder : relative(process.cwd(), folder)}/`;
}

/**
 * Uploads the node program to a node, after what `gate` depends on. Another content is an update of this resource alone. A machine
 * that was made anew in place of another gets it too, and another user's home, which the command plugin would not do for a new
 * connection.
 */
export function uploadProgram(
  name: string,
  connection: CheckedConnection,
  gate: pulumi.Output<unknown>,
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource {
  return new command.remote.CopyToRemote(
    name,
    // By an input: Pulumi walks through all that a promised dependency refers to, which is the whole program, for each node.
    {
      connection: connection.dialled,
      source: new pulumi.asset.FileArchive(archivePath()),
      remotePath: gate.apply(() => UPLOAD),
    },
    {
      ...opts,
      replacementTrigger: machineText(connection, opts.deletedWith),
    },
  );
}

/** A text that another user's home has another of, and a machine that its own resource has made anew. */
function machineText(connection: CheckedConnection, machine: pulumi.Resource | undefined): pulumi.Input<string> {
  return pulumi.CustomResource.isInstance(machine)
    ? pulumi.interpolate`${connection.user} ${machine.id}`
    : connection.user;
}

/** Runs a phase on a node as a resource: applied when its parameters or its files change, undone when it is deleted. */
export function applyPhase(
  name: string,
  node: NodeHandle,
  args: PhaseArgs,
  opts: pulumi.CustomResourceOptions,
): AppliedPhase {
  const { phase } = args;
  const { nodeName, connection } = node;
  // One inside the other: Pulumi takes three times the steps for a list of Outputs.
  const text = node.owner.apply((owner) =>
    pulumi.output(args.parameters).apply((parameters) =>
      pulumi.output(args.network).apply((network) =>
        parametersText(phase, {
          node: nodeName,
          owner,
          ...parameters,
          files: args.withoutFiles === true ? undefined : phaseHash(phase, network),
        }),
      ),
    ),
  );
  const stdin = args.secret === true ? pulumi.secret(text) : text;
  // Nothing is asked of a machine that is gone. What it never had would be made anew all the same: that runs elsewhere, and does nothing.
  const line = (option: pulumi.Input<string> = ""): pulumi.Input<string> =>
    node.gone
      ? NOTHING
      : typeof option === "string"
        ? mapped(connection.user, (user) => asRoot(startWords(phase, option), user))
        : pulumi.all([connection.user, option]).apply(([user, words]) => asRoot(startWords(phase, words), user));
  const resource = new command.remote.Command(
    name,
    {
      connection: connection.dialled,
      create: line(),
      update: line(args.again === undefined ? "--update" : pulumi.interpolate`--update ${args.again}`),
      delete: node.gone
        ? NOTHING
        : mapped(connection.user, (user) => `${NOTHING_LEFT} || ${asRoot(startWords(phase, "--undo"), user)}`),
      stdin,
      addPreviousOutputInEnv: false,
      logging: args.secretAnswer === true ? command.remote.Logging.None : command.remote.Logging.Stderr,
    },
    {
      ...opts,
      ...(node.gone && GONE),
      deletedWith: node.deletedWith,
      ...(args.secretAnswer === true && { additionalSecretOutputs: ["stdout"] }),
    },
  );
  if (node.gone) {
    return { resource, answer: pulumi.output([]) };
  }
  node.applies.push({ phase, name, parameters: resource.stdin });
  const printed = known(resource.stdout);
  const answer = resource.stdin.apply((given) =>
    printed.apply((stdout) => answerLines(nodeName, phase, nonceIn(given ?? ""), stdout)),
  );
  return { resource, answer };
}
