import * as pulumi from "@pulumi/pulumi";
import { InvalidInputError, type Problem } from "./validate";

/** A name that is joined of parts, such as a cluster's and a node's, and what it is for. */
export interface JoinedName {
  /** The name as it comes out. */
  readonly name: string;
  /** The field of the arguments that it comes from, as a dotted path. */
  readonly path: string;
  /** What has the name, as a message says it: `node "w1" of Cluster "demo"`. */
  readonly of: string;
}

/** Names by kind, within what they have to stay different in. */
const taken = new WeakMap<object, Map<string, string>>();

/** The run of the program: another one in the same process, such as by the Automation API, has names of its own. */
function thisRun(): object {
  return pulumi.runtime.getStackResource() ?? pulumi.runtime.getMonitor() ?? taken;
}

/**
 * Notes joined names of one kind, or throws one InvalidInputError with all that somebody else has within the same run of the
 * program, or the same cluster: "a" and "b-c" join to the same as "a-b" and "c".
 */
export function noteNames(
  subject: string,
  kind: string,
  names: readonly JoinedName[],
  within: object = thisRun(),
): void {
  const known = taken.get(within) ?? new Map<string, string>();
  taken.set(within, known);
  const problems = names.flatMap(({ name, path, of }): Problem[] => {
    const other = known.get(`${kind} ${name}`);
    return other === undefined || other === of
      ? []
      : [{ path, message: `${of} and ${other} would both be called "${name}"; give one of them another name` }];
  });
  if (problems.length > 0) {
    throw new InvalidInputError(subject, problems);
  }
  names.forEach(({ name, of }) => known.set(`${kind} ${name}`, of));
}
