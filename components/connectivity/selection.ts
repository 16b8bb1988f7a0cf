import { nearest } from "../args/validate";
import { requestForOne } from "./answered";
import { type ClaimId, CLAIMS } from "./claims";
import type { Claim } from "./claims/claim";
import type { Finding } from "./report/finding";
import type { Report } from "./report/report";
import { nodeOf, type Request } from "./request";

/** The part of the check that a run makes; each left away is all of its kind. */
export interface Selection {
  /** Claims that are proven, with those that they build on. */
  readonly claims?: readonly string[];
  /** Nodes that what is asked begins or ends at. */
  readonly nodes?: readonly string[];
}

/** The claims of a run: those that are named and all that they build on, in the order of the report. Throws on a name that is none. */
export function claimsOf({ claims: names }: Selection): (Claim & { readonly id: ClaimId })[] {
  if (names === undefined) {
    return [...CLAIMS];
  }
  refuseUnknown(
    "claim",
    names,
    CLAIMS.map(({ id }) => id),
  );
  const wanted = new Set(names);
  for (const id of wanted) {
    // A set goes on over what is added to it meanwhile.
    CLAIMS.find((claim) => claim.id === id)?.waitsOn.forEach((other) => wanted.add(other));
  }
  return CLAIMS.filter(({ id }) => wanted.has(id));
}

/** Throws on a node that the cluster does not have. */
export function refuseUnknownNodes({ nodes = [] }: Selection, known: readonly string[]): void {
  refuseUnknown("node", nodes, known);
}

function refuseUnknown(what: string, names: readonly string[], known: readonly string[]): void {
  const problems = names
    .filter((name) => !known.includes(name))
    .map((name) => {
      const meant = nearest(name, known);
      return `there is no ${what} "${name}"; ${meant === undefined ? `there are ${known.join(", ")}` : `did you mean "${meant}"?`}`;
    });
  if (problems.length > 0) {
    throw new Error(problems.join("; "));
  }
}

/** Whether a request begins or ends at one of the nodes; one that no node is the end of is told by its beginning. */
export function isAsked({ nodes }: Selection, { node, targetNode }: Pick<Request, "node" | "targetNode">): boolean {
  return nodes === undefined || nodes.includes(node) || (targetNode !== undefined && nodes.includes(targetNode));
}

/** What is made of a request: all of it, nothing, or of one that asks many pods the part that begins or ends at one of the nodes. */
export function partAsked(selection: Selection, request: Request): Request[] {
  const { ask } = request;
  if (ask.kind !== "reach" || isAsked(selection, request)) {
    return isAsked(selection, request) ? [request] : [];
  }
  return ask.to
    .filter(({ node }) => isAsked(selection, { node }))
    .map((pod, index) => requestForOne(request, ask, pod, index));
}

/** Whether a finding is about one of the nodes, or about none, such as the endpoints of a Service. */
export function isReported(
  { nodes }: Selection,
  { source, target }: Pick<Finding, "source" | "target">,
  known: readonly string[],
): boolean {
  const about = [nodeOf(source), nodeOf(target)].filter((name) => known.includes(name));
  return nodes === undefined || about.length === 0 || about.some((name) => nodes.includes(name));
}

/** What a report says of a part; undefined of a whole run. */
export function partOf(selection: Selection, nodes: readonly string[]): Report["part"] {
  return selection.claims === undefined && selection.nodes === undefined
    ? undefined
    : { claims: claimsOf(selection).map(({ id }) => id), nodes: [...(selection.nodes ?? nodes)] };
}
