import { z } from "zod";

/** What podnet reads of an object of any kind: who and where it is, whose, and what of it can never change. */
export const anyObject = z.looseObject({
  metadata: z.looseObject({
    uid: z.string().optional(),
    annotations: z.record(z.string(), z.string()).optional(),
    deletionTimestamp: z.string().optional(),
    managedFields: z.array(z.looseObject({ manager: z.string().optional() })).optional(),
  }),
  spec: z.record(z.string(), z.unknown()).optional(),
});

/** An object of any kind as the API server has it. */
export type LiveObject = z.output<typeof anyObject>;

/** An object as a resource declares it, with its name. */
export const declaredObject = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z.record(z.string(), z.unknown()).optional(),
});

/** An object as a resource declares it, with its name. */
export type DeclaredObject = z.output<typeof declaredObject>;

/** Path of an object in the API. */
export function objectPath({ apiVersion, kind, metadata: { name, namespace } }: DeclaredObject): string {
  const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const lower = kind.toLowerCase();
  const plural = lower.endsWith("y") ? `${lower.slice(0, -1)}ies` : `${lower}s`;
  return `${group}${namespace === undefined ? "" : `/namespaces/${namespace}`}/${plural}/${name}`;
}

/** An object as messages name it: `Service default/web`. */
export function objectName({ kind, metadata: { name, namespace } }: DeclaredObject): string {
  return `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`;
}
