import type { DeclaredLab } from "../../components/lab/look";
import { labInput, type LabInput, labNetworkInput, labNodeInput, type LabNodeInput } from "../../components/lab/inputs";

/** A resource as Pulumi's state has it, as far as podnet reads it. */
export interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
  readonly dependencies?: readonly string[];
  readonly propertyDependencies?: Readonly<Record<string, readonly string[] | null>>;
  /** A resource whose deletion ends this one too. */
  readonly deletedWith?: string;
  /** Whether it is only there to be deleted. */
  readonly delete?: boolean;
}

/** A stack's state: what Pulumi calls a deployment. */
export interface Deployment {
  readonly resources?: readonly StateResource[];
  /** What an update that was cut off had begun. */
  readonly pending_operations?: readonly { readonly type: string; readonly resource: StateResource }[];
}

/** A secret's plain text, where an export has it; other values as they are. */
function clear(value: unknown): unknown {
  const text = (value as { plaintext?: unknown } | undefined)?.plaintext;
  return typeof text === "string" ? (JSON.parse(text) as unknown) : value;
}

const living = ({ resources = [] }: Deployment): StateResource[] => resources.filter((one) => one.delete !== true);

/** Output of the first resource of a type. */
function outputOf(state: Deployment, type: string, name: string): unknown {
  return clear(living(state).find((resource) => resource.type === type)?.outputs?.[name]);
}

/** An output of the stack. */
export function stackOutput(state: Deployment, name: string): unknown {
  return outputOf(state, "pulumi:pulumi:Stack", name);
}

/** The cluster's kubeconfig as the state has it now, which an update that failed later has changed too. */
export function kubeconfigIn(state: Deployment): string | undefined {
  const text = outputOf(state, "podnet:index:Cluster", "kubeconfig") ?? stackOutput(state, "kubeconfig");
  return typeof text === "string" && text !== "" ? text : undefined;
}

/** The inputs of a lab's own commands, by the word at the end of their line. */
function commands(
  resources: readonly StateResource[],
  word: string,
): { readonly urn: string; readonly stdin: unknown }[] {
  return resources.flatMap(({ urn, type, inputs }) => {
    const [line, stdin] = [inputs?.["create"], clear(inputs?.["stdin"])];
    return type === "command:local:Command" && typeof line === "string" && line.endsWith(` ${word}`)
      ? [{ urn, stdin: typeof stdin === "string" ? (JSON.parse(stdin) as unknown) : undefined }]
      : [];
  });
}

/** The lab that a stack has made, its nodes in the order of their names; with no nodes where it has none. */
export function labIn(state: Deployment): DeclaredLab {
  const resources = living(state);
  const [network] = commands(resources, "lab-network");
  const nodes = commands(resources, "lab-node").map(({ stdin }) => labNodeInput.parse(stdin));
  return {
    network: network && labNetworkInput.parse(network.stdin),
    nodes: nodes.sort((a, b) => a.nodeName.localeCompare(b.nodeName, "en", { numeric: true })),
  };
}

/** Each lab that a stack has or had a part of, what is being made or only to be deleted included. */
export function labsIn({ resources = [], pending_operations: pending = [] }: Deployment): LabInput[] {
  const all = [...resources, ...pending.map(({ resource }) => resource)];
  const inputs = ["lab-host", "lab-network", "lab-node"].flatMap((word) => commands(all, word));
  const labs = inputs.flatMap(({ stdin }) => (stdin === undefined ? [] : [labInput.parse(stdin)]));
  return [...new Map(labs.map((lab) => [JSON.stringify(lab), lab])).values()];
}

/** URNs of the containers of these nodes. */
export function containersIn(state: Deployment, nodes: readonly LabNodeInput[]): string[] {
  const names = nodes.map(({ nodeName }) => nodeName);
  return commands(living(state), "lab-node")
    .filter(({ stdin }) => names.includes(labNodeInput.parse(stdin).nodeName))
    .map(({ urn }) => urn);
}

/** Whether one of these nodes carries the control plane, and with it all that is in the cluster. */
export function carryControlPlane(state: Deployment, containers: readonly string[]): boolean {
  const inits = living(state).filter(({ inputs }) => /\/start init$/.test(String(inputs?.["create"])));
  return inits.some(({ deletedWith }) => deletedWith !== undefined && containers.includes(deletedWith));
}

/** Names of the resources that are on machines which no container of a lab is, and which outlive it therefore. */
export function onMachines(state: Deployment): string[] {
  return (state.resources ?? [])
    .filter(({ type, deletedWith }) => type.startsWith("command:remote:") && !deletedWith)
    .map(({ urn }) => urn.split("::").slice(3).join("::"));
}

/** A state without resources that are gone, and without all that went with them: the next update makes them anew. */
export function without(state: Deployment, gone: readonly string[]): Deployment {
  const dropped = new Set(gone);
  const { resources = [] } = state;
  for (const { urn, deletedWith } of resources) {
    // What went with another comes after it.
    if (deletedWith !== undefined && dropped.has(deletedWith)) {
      dropped.add(urn);
    }
  }
  const kept = (urns: readonly string[]): string[] => urns.filter((urn) => !dropped.has(urn));
  return {
    ...state,
    resources: resources
      .filter(({ urn }) => !dropped.has(urn))
      .map((resource) => ({
        ...resource,
        ...(resource.dependencies && { dependencies: kept(resource.dependencies) }),
        ...(resource.propertyDependencies && {
          propertyDependencies: Object.fromEntries(
            Object.entries(resource.propertyDependencies).map(([name, urns]) => [name, kept(urns ?? [])]),
          ),
        }),
      })),
  };
}

/** A state in which nothing is pending. */
export function settled(state: Deployment): Deployment {
  return { ...state, pending_operations: [] };
}
