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
        const withMarks = { ...given, metadata: { ...given.metadata, annotations } };
        return { props: withMarks, opts: looking(opts, lookName(parent, type, name), lookOf(context, given, marks)) };
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

/** The look at what stands in an object's place before it is made or updated. Undefined where there is no cluster to look at. */
function lookOf(
  { owner, kubeconfig }: ObjectContext,
  { metadata, apiVersion, kind, spec }: Props & { readonly metadata: Metadata },
  marks: Promise<string[]>,
): (() => Promise<void>) | undefined {
  // With mocks in the engine's place, such as in a user's tests, there is none.
  if (pulumi.runtime.getEngine() === undefined) {
    return undefined;
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
      known = () => lookAt(config, declaredObject.parse(declared), { dryRun, earlier });
    });
  return async () => known?.();
}

/** What Pulumi knows the look at an object by: a name that no other object of the program has, as its URN is made. */
function lookName(parent: pulumi.Resource, type: string, name: string): string {
  const typesOf = (resource: Child | undefined): string[] =>
    resource === undefined ? [] : [...typesOf(resource.__parentResource), resource.__pulumiType ?? ""];
  return `look at ${[...typesOf(parent as Child), type].join("$")}::${name}`;
}

/** What Pulumi's SDK notes of a resource. */
interface Child {
  readonly __pulumiType?: string;
  readonly __parentResource?: Child;
}

/** Options by which Pulumi's engine has an object looked at before it makes or updates it, or deletes it to make it anew. */
function looking(
  opts: pulumi.CustomResourceOptions,
  name: string,
  look: (() => Promise<void>) | undefined,
): pulumi.CustomResourceOptions {
  if (look === undefined) {
    return opts;
  }
  // Inside the Automation API a program shares its process with others, and has no engine of its own by this question.
  const [refuse, refusing] = pulumi.runtime.hasEngine() ? [endProgram, opts] : refusingByHook(name, opts);
  const transform: pulumi.ResourceTransform = async ({ props, opts: own }) => {
    try {
      await look();
      return undefined;
    } catch (error) {
      await refuse(error);
      // The refusal comes before the create. A delete would come before that.
      return { props, opts: { ...own, deleteBeforeReplace: false } };
    }
  };
  return { ...refusing, transforms: [...(opts.transforms ?? []), transform] };
}

/**
 * Has the engine itself fail the object. A transform that throws would have the SDK wait for ever for a registration that never
 * ends, and a hook needs a newer language host than every installation has; the Automation API needs none.
 */
function refusingByHook(
  name: string,
  opts: pulumi.CustomResourceOptions,
): [(error: unknown) => Promise<void>, pulumi.CustomResourceOptions] {
  let refused: Error | undefined;
  const refuse = (error: unknown): Promise<void> => {
    refused = error instanceof Error ? error : new Error(messageOf(error));
    return Promise.resolve();
  };
  const fail = (): void => {
    if (refused !== undefined) {
      throw refused;
    }
  };
  const hook = new pulumi.ResourceHook(name, fail, { onDryRun: true });
  const { beforeCreate = [], beforeUpdate = [] } = opts.hooks ?? {};
  const hooks = { ...opts.hooks, beforeCreate: [...beforeCreate, hook], beforeUpdate: [...beforeUpdate, hook] };
  return [refuse, { ...opts, hooks }];
}

/**
 * Ends the program with what is wrong. Pulumi would print a registration that failed with all that it refers to, which is the whole
 * program, and takes minutes and gigabytes.
 */
async function endProgram(error: unknown): Promise<never> {
  await pulumi.log.error(messageOf(error));
  process.exit(SAID);
}

/** Exit code by which a program tells Pulumi that it has said what is wrong. */
const SAID = 32;

async function lookAt(kubeconfig: string, declared: DeclaredObject, circumstances: Circumstances): Promise<void> {
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
