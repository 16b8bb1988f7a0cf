import type { z } from "zod";
import type { Cluster } from "../cluster/Cluster";
import type { PodNetwork } from "./PodNetwork";

/** A setting of a stack's config that one kind of network reads. */
export interface NetworkSetting {
  /** Schema of the value, with its default. */
  readonly schema: z.ZodType;
  /** Argument of the network's class that it becomes. */
  readonly argument: string;
  /** What it means, in Markdown. */
  readonly meaning: string;
}

/** What every kind of network is made of in a program, and its own settings under the names of its arguments. */
export interface ChosenNetworkArgs {
  readonly cluster: Cluster;
  readonly mtu?: number | undefined;
  readonly [argument: string]: unknown;
}

/** A kind of network as a stack's config can choose it. */
export interface NetworkKind {
  /** Its name in the config, and of its folder. */
  readonly kind: string;
  /** Its own settings, by their key in the config. */
  readonly settings: Readonly<Record<string, NetworkSetting>>;
  /** Makes it; its class validates the arguments. */
  readonly make: (name: string, args: ChosenNetworkArgs) => PodNetwork;
}
