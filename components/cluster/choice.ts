import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { known } from "../args/known";

/** A choice that was noted. */
export interface Choice {
  readonly resource: pulumi.Resource;
  /** A text that becomes another one each time that something else is chosen, and also when what was chosen before is chosen again. */
  readonly at: pulumi.Output<string>;
}

/**
 * Notes, before anything is changed for it, what is chosen, and when. Where an update failed or was killed half way and the earlier
 * choice is declared again, the commands have the inputs that they had before, and only this tells that they have to run once more.
 */
export function noteChoice(name: string, chosen: pulumi.Output<string>, opts: pulumi.CustomResourceOptions): Choice {
  const resource = new command.local.Command(
    name,
    {
      create: 'node -p "Date.now()"',
      stdin: chosen,
      addPreviousOutputInEnv: false,
      logging: command.local.Logging.Stderr,
    },
    opts,
  );
  return { resource, at: known(resource.stdout) };
}
