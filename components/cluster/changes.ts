import * as pulumi from "@pulumi/pulumi";
import { shortHash } from "../args/hash";

/** A resource that was made, and what it was made from. */
interface Made {
  readonly resource: pulumi.Resource;
  readonly type: string;
  readonly props: Readonly<Record<string, unknown>>;
}

/**
 * Notes every resource that a component makes, at any depth, whatever its type: nobody has to remember to add one. Its text is
 * another one as soon as any of them is made anew, updated, added or left out.
 */
export class Changes {
  readonly #made: Made[] = [];

  /** Options of the component whose resources are noted. */
  noting(opts: pulumi.ComponentResourceOptions | undefined): pulumi.ComponentResourceOptions {
    const note: pulumi.ResourceTransformation = ({ resource, type, props }) => {
      this.#made.push({ resource, type, props });
      return undefined;
    };
    return { ...opts, transformations: [...(opts?.transformations ?? []), note] };
  }

  /** Notes a resource that somebody else made and that this depends on, such as a machine. */
  add(resource: pulumi.Resource | undefined): void {
    if (resource) {
      this.#made.push({ resource, type: "", props: {} });
    }
  }

  /** One short text for all that was noted up to now. */
  text(): pulumi.Output<string> {
    // Not when they are noted: only what is whole tells whether it is a component.
    return digest(
      this.#made.flatMap(({ resource, ...from }) =>
        pulumi.CustomResource.isInstance(resource) ? [versionOf(resource, from)] : [],
      ),
    );
  }
}

/** One short text for many, which differs as soon as one of them does. It is no secret, whatever the texts hold. */
export function digest(texts: readonly pulumi.Output<string>[]): pulumi.Output<string> {
  return pulumi.unsecret(pulumi.all([...texts]).apply((known) => shortHash(known.join("\n"))));
}

/** Fields of a resource that a program under way can read. */
type Fields = Readonly<Record<string, pulumi.Output<unknown> | undefined>>;

interface Metadata {
  readonly uid?: string;
  readonly generation?: number;
  readonly resourceVersion?: string;
}

/** What differs after each change of a resource. */
function versionOf(resource: pulumi.CustomResource, { type, props }: Omit<Made, "resource">): pulumi.Output<string> {
  const { id } = resource;
  const fields = resource as unknown as Fields;
  if (type.startsWith("kubernetes:")) {
    // Status comes and goes by itself; what has no generation has none.
    const metadata = fields["metadata"] as pulumi.Output<Metadata>;
    return pulumi.all([id, pulumi.output(props), metadata]).apply(([name, given, known]) => {
      const { uid, generation, resourceVersion } = known;
      return JSON.stringify([name, uid, generation ?? resourceVersion, given]);
    });
  }
  if (type === "command:remote:Command") {
    // Each run of a phase answers with a number that no other has.
    return pulumi.all([id, fields["stdout"]]).apply((known) => known.join(" "));
  }
  if (type === "command:remote:CopyToRemote") {
    return id;
  }
  return pulumi
    .all([id, pulumi.output(props), fields["stdout"]])
    .apply(([name, given, stdout]) => JSON.stringify([name, given, stdout]));
}
