import { CLAIMS } from "./claims";
import type { Claim } from "./claims/claim";
import { exemptAsAWhole } from "./judge";
import { nameOf, type Request } from "./request";
import type { Topology } from "./topology";

/** Every request of one run: what each claim asks. Square in the nodes where all of it is asked, and by its small ones alone in a sample. */
export function planRequests(topology: Topology, claims: readonly Claim[] = CLAIMS): Request[] {
  const sources = new Map<string, string>();
  const planned: Request[] = [];
  for (const { id: claim, requests } of claims.filter((claim) => !exemptAsAWhole(claim, topology.input))) {
    for (const request of requests(topology)) {
      const name = nameOf(request.node, request.probe);
      // A million requests have one text of each asker, not one each.
      const source = sources.get(name) ?? name;
      sources.set(source, source);
      planned.push({ ...request, claim, id: `r${String(planned.length)}`, source });
    }
  }
  return planned;
}
