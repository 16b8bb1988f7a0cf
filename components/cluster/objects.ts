import type * as kubernetes from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import { messageOf } from "../args/validate";
import { KubeClient } from "../kubernetes/client";
import { type Circumstances, guard, Refused } from "../kubernetes/guard";
import { APPLY, OWNER_MARK, RESOURCE_MARK, resourceMark } from "../kubernetes/marks";
import { type DeclaredObject, declaredObject } from "../kubernetes/object";

/** What the objects that podnet makes in a cluster have in common. */
export interface ObjectContext {
  readonly provider: kubernetes.Provider;
  readonly owner: pulumi.Output<string>;
  readonly kubeconfig: pulumi.Output<string>;
  /** A text that another cluster has another of. */
  readonly identity: pulumi.Output<string>;
  readonly deletedWith: pulumi.Resource | undefined;
}

type Props = Readonly<Record<string, unknown>>;
interface Metadata extends Props {
  readonly annotations?: Readonly<Record<string, pulumi.Input<string>>>;
}

/**
 * Options of an object of podnet's own. Server-side apply takes over what is there, so that a create that was killed can be done
 * again; therefore each object is marked with who made it, and what another made is refused before it is touched.
 */
export function objectOptions(context: ObjectContext, parent: pulumi.Resource): pulumi.CustomResourceOptions {
  const { provider, deletedWith, identity } = context;
  return {
    parent,
    provider,
    deletedWith,
    // The other way round, the delete of the old one would take the new one, which has its name.
    deleteBeforeReplace: true,
    // A cluster that was made anew has none of them.
    replacementTrigger: identity,
    transformations: [
      ({ type, name, props, opts }) => {
        const given = props as Props & { readonly metadata: Metadata };
        const marks = marksOf(parent, type, name);
        const mark = marks.then(([own = ""]) => own);
        const annotations = {
          ...given.metadata.annotations,
          ...APPLY,
          [OWNER_MARK]: context.owner,
          [RESOURCE_MARK]: mark,
        };
        const transforms = [...(opts.transforms ?? []), ...lookOf(context, given, marks)];
        return { props: { ...given, metadata: { ...given.metadata, annotations } }, opts: { ...opts, transforms } };
      },
    ],
  };
}

/**
 * The mark of a component's child, and behind it those that it had by its parent's aliases. As a promise: an Output would depend
 * on the component, and so on the child that it is for.
 */
function marksOf(parent: pulumi.Resource, type: string, name: string): Promise<string[]> {
  const aliases = (parent as { readonly __aliases?: pulumi.Input<string>[] }).__aliases ?? [];
  return new Promise((known) => {
    pulumi.all([parent.urn, ...aliases]).apply((urns) => {
      const nameIn = (urn: string): string => urn.slice(urn.lastIndexOf("::") + 2);
      const own = nameIn(urns[0] ?? "");
      known(
        urns.map((urn) => {
          // As Pulumi has it: a child's name that begins with its parent's goes with it.
          const child = name.startsWith(own) ? nameIn(urn) + name.slice(own.length) : name;
          return resourceMark(`${urn.slice(0, urn.lastIndexOf("::"))}$${type}::${child}`);
        }),
      );
    });
  });
}

/**
 * The look at what stands in an object's place, as a transform, which Pulumi's engine asks before it makes or updates the object. (Its
 * hooks before a create would need a newer language host than every installation has.) It changes nothing.
 */
function lookOf(
  { owner, kubeconfig }: ObjectContext,
  { metadata, apiVersion, kind, spec }: Props & { readonly metadata: Metadata },
  marks: Promise<string[]>,
): pulumi.ResourceTransform[] {
  // With mocks in the engine's place, such as in a user's tests, there is no cluster to look at.
  if (pulumi.runtime.getEngine() === undefined) {
    return [];
  }
  const dryRun = pulumi.runtime.isDryRun();
  const { name, namespace } = metadata;
  // All of it is known when the engine asks, or it is a preview of what is not there yet.
  let known: (() => Promise<void>) | undefined;
  pulumi
    .all([owner, kubeconfig, marks, pulumi.output({ apiVersion, kind, metadata: { name, namespace }, spec })])
    .apply(([ownerMark, config, [mark = "", ...earlier], object]) => {
      const annotations = { [OWNER_MARK]: ownerMark, [RESOURCE_MARK]: mark };
      const declared = { ...object, metadata: { ...object.metadata, annotations } };
      known = () => look(config, declaredObject.parse(declared), { dryRun, earlier });
    });
  return [
    async () => {
      try {
        await known?.();
      } catch (error) {
        await endProgram(error);
      }
      return undefined;
    },
  ];
}

/** Exit code by which a program tells Pulumi that it has said what is wrong. */
const SAID = 32;

/**
 * Ends the program with what is wrong. Where it is a process of its own it says so and exits: Pulumi would print a registration that
 * failed with all that it refers to, which is the whole program, and takes minutes and gigabytes.
 */
async function endProgram(error: unknown): Promise<never> {
  await pulumi.log.error(messageOf(error));
  // Inside the Automation API a program shares its process with others, and has no engine of its own by this question.
  if (pulumi.runtime.hasEngine()) {
    process.exit(SAID);
  }
  throw error;
}

async function look(kubeconfig: string, declared: DeclaredObject, circumstances: Circumstances): Promise<void> {
  const client = new KubeClient(kubeconfig);
  try {
    await guard(client, declared, circumstances);
  } catch (error) {
    // A preview may be made where the API server cannot be reached.
    if (error instanceof Refused || !circumstances.dryRun) {
      throw error;
    }
  } finally {
    client.close();
  }
}
