import * as pulumi from "@pulumi/pulumi";
import { shortHash } from "./hash";

/**
 * Values that replace a command when they change, in the form that every SDK and the command plugin take: none is a secret. One
 * that was is told apart by its hash, since the plugin refuses a trigger that is secret and not known yet.
 */
export function triggersOf(...values: readonly unknown[]): pulumi.Input<unknown>[] {
  return values.map((value) => {
    if (typeof value !== "object" || value === null) {
      return value;
    }
    const output = pulumi.output(value);
    return pulumi.unsecret(
      output.apply(async (known) => ((await pulumi.isSecret(output)) ? shortHash(JSON.stringify(known)) : known)),
    );
  });
}
