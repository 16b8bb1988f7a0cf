import { join } from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { NetworkPlan } from "./definition";
import type { PreflightInput } from "./preflightScript";
import { connectionTo } from "../machine/connection";
import type { SshConnection } from "../machine/NodeArgs";

/**
 * Preflight of a network on these machines: a command of this one that changes nothing, and fails, naming all that is missing
 * on each, when one of them cannot run the network.
 */
export function preflightCommand(
  name: string,
  connections: Readonly<Record<string, SshConnection>>,
  plan: pulumi.Output<NetworkPlan>,
  options: pulumi.CustomResourceOptions,
): command.local.Command {
  const nodes = pulumi.all(
    Object.fromEntries(Object.entries(connections).map(([node, ssh]) => [node, connectionTo(node, ssh)])),
  );
  return new command.local.Command(
    `${name}-preflight`,
    {
      create: `exec node ${JSON.stringify(join(__dirname, "./preflightScript.js"))}`,
      stdin: pulumi.secret(
        pulumi
          .all([plan, nodes])
          .apply(([{ id, features, programs }, reached]) =>
            JSON.stringify({ network: id, features, programs, nodes: reached } satisfies unknown as PreflightInput),
          ),
      ),
      // A machine that was found fit is not asked again when another one joins it.
      addPreviousOutputInEnv: true,
      logging: command.local.Logging.Stderr,
    },
    options,
  );
}
