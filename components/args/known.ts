import * as pulumi from "@pulumi/pulumi";
import { unknown } from "@pulumi/pulumi/output";

/**
 * What a resource put out, and not known as long as it put out nothing: an update of other resources alone leaves it away, and
 * its outputs are then known to be undefined, which nobody can read. So what is read out of it stays unknown too.
 */
export function known<T>(output: pulumi.Output<T>): pulumi.Output<T> {
  return output.apply((value: unknown) => (value === undefined ? pulumi.output(unknown) : value)) as pulumi.Output<T>;
}
