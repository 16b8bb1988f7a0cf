import { asMade } from "./as-made";
import type { Claim } from "./claim";
import { dns } from "./dns";
import { endpoints } from "./endpoints";
import { hairpin } from "./hairpin";
import { localhost } from "./localhost";
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
  mtu,
  service,
  hairpin,
  endpoints,
  dns,
  networkPolicy,
] as const;

/** Id of a claim. */
export type ClaimId = (typeof ALL)[number]["id"];

/** What the check proves, in the order of the report. */
export const CLAIMS: readonly (Claim & { readonly id: ClaimId })[] = ALL;
