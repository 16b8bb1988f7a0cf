import { z } from "zod";

/** Label on everything a lab makes; its value is the lab's name. */
export const LAB_LABEL = "podnet.lab";

/** Label on everything a lab makes: the stack that it is of, since two stacks can give their labs one name. */
export const OWNER_LABEL = "podnet.owner";

/** Label of a node's container: its address in the lab's network. */
export const ADDRESS_LABEL = "podnet.address";

/** What every command of a lab is told. */
const common = {
  labName: z.string(),
  /** Mark of the stack whose lab it is, as the label {@link OWNER_LABEL}; without it, that of no stack. */
  owner: z.string().optional(),
  dockerHost: z.string().optional(),
  network: z.string(),
};

/** What the input of every command of a lab says of the lab. */
export const labInput = z.object(common);
/** What the input of every command of a lab says of the lab. */
export type LabInput = z.output<typeof labInput>;

/** Input of the command that looks at the lab's host before anything is made there. */
export const labHostInput = z.strictObject({
  ...common,
  /** Number of the lab's nodes. */
  nodes: z.number(),
  /** The lab's control plane: its address follows from its slot, and is for life. */
  controlPlane: z.strictObject({ nodeName: z.string(), slot: z.number() }).optional(),
});
/** Input of the command that looks at the lab's host before anything is made there. */
export type LabHostInput = z.output<typeof labHostInput>;

/** Input of the command that makes a lab's network. */
export const labNetworkInput = z.strictObject({
  ...common,
  /** Network of the nodes; without it a free one is chosen. */
  subnet: z.string().optional(),
});
/** Input of the command that makes a lab's network. */
export type LabNetworkInput = z.output<typeof labNetworkInput>;

/** Input of the command that makes a lab's node. */
export const labNodeInput = z.strictObject({
  ...common,
  nodeName: z.string(),
  address: z.string(),
  image: z.string(),
  publicKey: z.string(),
  /** Folder of this machine that the node sees read-only at the same path. */
  mirrorDir: z.string().optional(),
});
/** Input of the command that makes a lab's node. */
export type LabNodeInput = z.output<typeof labNodeInput>;

/** Name of a node's container. */
export function containerOf({ labName, nodeName }: Pick<LabNodeInput, "labName" | "nodeName">): string {
  return `${labName}-${nodeName}`;
}

/** What says whose a lab is: its name and its stack's mark. */
export type Whose = Pick<LabNodeInput, "labName" | "owner">;

/** Whether something that bears these labels is of this lab. What bears no stack's mark is of every stack that has its name. */
export function isOf(seen: { readonly lab: string; readonly owner: string }, { labName, owner }: Whose): boolean {
  return seen.lab === labName && (seen.owner === "" || seen.owner === owner);
}

/** Who owns something that is in the way, for a message. */
export function ownerText(
  { lab, owner }: { readonly lab: string; readonly owner: string },
  { labName }: Whose,
): string {
  return lab === "" ? "no lab" : lab === labName ? `lab ${lab} of another stack, ${owner}` : `lab ${lab}`;
}
