import { z } from "zod";
import { secretText } from "../args/schemas";
import { type Dialled, dialled } from "./dialled";

/** How to reach many nodes, as it is handed to a local command: each private key once. Holds secrets. */
export const dialTable = z
  .strictObject({
    /** Private keys by a name of their own. */
    keys: z.record(z.string(), secretText),
    /** Nodes by name; `key` names their private key. */
    nodes: z.record(z.string(), dialled.omit({ privateKey: true }).extend({ key: z.string() })),
  })
  .transform(({ keys, nodes }, context): Record<string, Dialled> =>
    Object.fromEntries(
      Object.entries(nodes).map(([name, { key, ...rest }]) => {
        const privateKey = keys[key];
        if (privateKey === undefined) {
          context.addIssue({ code: "custom", path: ["nodes", name, "key"], message: `there is no key ${key}` });
        }
        return [name, { ...rest, privateKey: privateKey ?? "" }];
      }),
    ),
  );

/** What {@link dialTable} reads. */
export type DialTable = z.input<typeof dialTable>;
