import { type DeclaredObject, type LiveObject, objectName } from "./object";

/** Annotation that says which stack made an object: the identity of its cluster's owner. */
export const OWNER_MARK = "podnet.dev/owner";
/** Annotation that says which resource of that stack made it. */
export const RESOURCE_MARK = "podnet.dev/resource";

/** A resource as an object bears it: its URN without the stack and the project, which can be renamed. */
export function resourceMark(urn: string): string {
  return urn.split("::").slice(2).join("::");
}

/**
 * How the Kubernetes provider is to apply an object of podnet's own: under one name, whoever applies it and however often it
 * starts anew, and over what somebody else changed in it. What another made is refused before that.
 */
export const APPLY = {
  "pulumi.com/patchFieldManager": "podnet",
  "pulumi.com/patchForce": "true",
  // podnet waits itself, and says why pods do not come. Not by skipAwait, with which the provider would not wait for the end of what
  // it deletes either, and apply the next one to it.
  "pulumi.com/waitFor": "jsonpath={.metadata.uid}",
} as const;

/** Name under which podnet applied its objects before it marked them. */
const EARLIER_MANAGER = "pulumi-kubernetes";

/** Whether an object is one that a resource may apply; one without the second mark was handed over by hand. */
function isMadeBy(live: LiveObject, declared: DeclaredObject, earlier: readonly string[]): boolean {
  const [seen, wanted] = [live.metadata.annotations ?? {}, declared.metadata.annotations ?? {}];
  if (seen[OWNER_MARK] === undefined) {
    return live.metadata.managedFields?.some(({ manager }) => manager === EARLIER_MANAGER) === true;
  }
  const resource = seen[RESOURCE_MARK];
  const same = resource === undefined || [wanted[RESOURCE_MARK], ...earlier].includes(resource);
  return seen[OWNER_MARK] === wanted[OWNER_MARK] && same;
}

/** Why an object that is there is not the one that a resource declares, with what to do; nothing where it is. */
export function notOurs(
  live: LiveObject,
  declared: DeclaredObject,
  earlier: readonly string[] = [],
): string | undefined {
  if (isMadeBy(live, declared, earlier)) {
    return undefined;
  }
  const name = objectName(declared);
  const seen = live.metadata.annotations ?? {};
  const owner = declared.metadata.annotations?.[OWNER_MARK] ?? "";
  if (seen[OWNER_MARK] === owner) {
    return (
      `${name} is made by the resource ${seen[RESOURCE_MARK] ?? ""} of this stack already; ` +
      `choose another name, or say by \`aliases\` that ${declared.metadata.annotations?.[RESOURCE_MARK] ?? ""} is that resource`
    );
  }
  const whose = seen[OWNER_MARK] === undefined ? "podnet did not make it" : `its owner is ${seen[OWNER_MARK]}`;
  const { kind, metadata } = declared;
  const where = metadata.namespace === undefined ? "" : ` -n ${metadata.namespace}`;
  return (
    `${name} belongs to somebody else: ${whose}. It was left as it is. Choose another name or delete it; ` +
    `to hand it over to this stack: kubectl annotate --overwrite ${kind.toLowerCase()} ${metadata.name}${where} ${OWNER_MARK}=${owner} ${RESOURCE_MARK}-`
  );
}

/** Whether a Service that is declared has a ClusterIP where the living one has none, or the other way round. */
export function changesAddress(live: LiveObject, declared: DeclaredObject): boolean {
  return (
    declared.kind === "Service" && (live.spec?.["clusterIP"] === "None") !== (declared.spec?.["clusterIP"] === "None")
  );
}
