import type * as kubernetes from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import { KubeClient } from "../kubernetes/client";
import { beforeCreate, beforeUpdate, Refused } from "../kubernetes/guard";
import { APPLY, OWNER_MARK, RESOURCE_MARK, resourceMark } from "../kubernetes/marks";
import { declaredObject } from "../kubernetes/object";

/** What the objects that podnet makes in a cluster have in common. */
export interface ObjectContext {
  readonly provider: kubernetes.Provider;
  readonly owner: pulumi.Output<string>;
  readonly deletedWith: pulumi.Resource | undefined;
  /** Looks at what stands in an object's place. */
  readonly guard: pulumi.ResourceHookBinding;
}

type Annotations = Readonly<Record<string, pulumi.Input<string>>>;

/**
 * Options of an object of podnet's own. Server-side apply takes over what is there, so that a create that was killed can be done
 * again; therefore each object is marked with who made it, and what another made is refused before it is touched.
 */
export function objectOptions(context: ObjectContext, parent: pulumi.Resource): pulumi.CustomResourceOptions {
  const { provider, owner, deletedWith, guard } = context;
  return {
    parent,
    provider,
    deletedWith,
    // The other way round, the delete of the old one would take the new one, which has its name.
    deleteBeforeReplace: true,
    hooks: guard,
    transformations: [
      ({ type, name, props, opts }) => {
        const metadata = props["metadata"] as { readonly annotations?: Annotations } & Record<string, unknown>;
        const annotations = {
          ...metadata.annotations,
          ...APPLY,
          [OWNER_MARK]: owner,
          [RESOURCE_MARK]: urnOf(parent).then((urn) => resourceMark(`${urn}$${type}::${name}`)),
        };
        return { props: { ...props, metadata: { ...metadata, annotations } }, opts };
      },
    ],
  };
}

/**
 * The URN of a component, as part of those of its children: its type with those of its parents. As a promise: an Output would
 * depend on the component, and so on the child that it is for.
 */
function urnOf(parent: pulumi.Resource): Promise<string> {
  return new Promise((known) => {
    parent.urn.apply((urn) => known(urn.slice(0, urn.lastIndexOf("::"))));
  });
}

/** The looks at a cluster's objects, by way of the kubeconfig once it is known: a preview of a new cluster has nothing to look at. */
export function guardOf(name: string, kubeconfig: pulumi.Output<string>): pulumi.ResourceHookBinding {
  // With mocks in the engine's place, such as in a user's tests, there are no hooks.
  if (pulumi.runtime.getEngine() === undefined) {
    return {};
  }
  let known: string | undefined;
  kubeconfig.apply((text) => {
    known = text;
  });
  const dryRun = pulumi.runtime.isDryRun();
  const hook = (when: string, look: Look): pulumi.ResourceHook =>
    new pulumi.ResourceHook(
      `${name}-${when}`,
      (args) => looked(known, dryRun, (client) => look(client, args, dryRun)),
      {
        onDryRun: true,
      },
    );
  return {
    beforeCreate: [hook("before-create", lookBeforeCreate)],
    beforeUpdate: [hook("before-update", lookBeforeUpdate)],
  };
}

type Look = (client: KubeClient, args: pulumi.ResourceHookArgs, dryRun: boolean) => Promise<void>;

const lookBeforeCreate: Look = (client, { newInputs }, dryRun) =>
  beforeCreate(client, declaredObject.parse(newInputs), dryRun);

const lookBeforeUpdate: Look = (client, { newInputs, oldInputs }) =>
  beforeUpdate(client, declaredObject.parse(newInputs), declaredObject.parse(oldInputs));

async function looked(
  kubeconfig: string | undefined,
  dryRun: boolean,
  look: (client: KubeClient) => Promise<void>,
): Promise<void> {
  if (kubeconfig === undefined) {
    return;
  }
  const client = new KubeClient(kubeconfig);
  try {
    await look(client);
  } catch (error) {
    // A preview may know less than the update will, and be made where the API server cannot be reached.
    if (!dryRun || error instanceof Refused) {
      throw error;
    }
  } finally {
    client.close();
  }
}
