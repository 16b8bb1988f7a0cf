import { addresses } from "./addresses";
import { api } from "./api";
import { asMade } from "./as-made";
import type { Claim } from "./claim";
import { dns } from "./dns";
import { egress } from "./egress";
import { endpoints } from "./endpoints";
import { fragments } from "./fragments";
import { freshPod } from "./fresh-pod";
import { hairpin } from "./hairpin";
import { localhost } from "./localhost";
import { loss } from "./loss";
import { mtu } from "./mtu";
import { networkPolicy } from "./network-policy";
import { noNat } from "./no-nat";
import { nodeToPod } from "./node-to-pod";
import { podIp } from "./pod-ip";
import { podToNode } from "./pod-to-node";
import { podToPod } from "./pod-to-pod";
import { service } from "./service";

const ALL = [
  asMade,
  localhost,
  podToPod,
  nodeToPod,
  podToNode,
  noNat,
  podIp,
  addresses,
  freshPod,
  mtu,
  fragments,
  loss,
  service,
  hairpin,
  endpoints,
  api,
  dns,
  egress,
  networkPolicy,
] as const;

/** Id of a claim. */
export type ClaimId = (typeof ALL)[number]["id"];

/** What the check proves, in the order of the report. */
export const CLAIMS: readonly (Claim & { readonly id: ClaimId })[] = ALL;
