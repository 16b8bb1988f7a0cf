import { CLAIMS } from "./claims";
import type { Claim } from "./claims/claim";
import { exemptAsAWhole } from "./judge";
import { nameOf, type Request } from "./request";
import type { Topology } from "./topology";

/** Every request of one run: what each claim asks. Linear in claims, square in nodes. */
export function planRequests(topology: Topology, claims: readonly Claim[] = CLAIMS): Request[] {
  return claims
    .filter((claim) => !exemptAsAWhole(claim, topology.input))
    .flatMap(({ id, requests }) => requests(topology).map((request) => ({ ...request, claim: id })))
    .map((request, index) => ({
      ...request,
      id: `r${String(index)}`,
      source: nameOf(request.node, request.probe),
    }));
}
