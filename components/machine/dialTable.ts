import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { type CheckedConnection, type Dialled, dialled } from "./connection";

/** How to reach many nodes, as it is handed to a local command: each private key once. Holds secrets. */
export const dialTable = z
  .strictObject({
    /** Private keys by a name of their own. */
    keys: z.record(z.string(), z.string()),
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

/** Writes connections as a table: a secret. */
export function dialTableOf(connections: Readonly<Record<string, CheckedConnection>>): pulumi.Output<DialTable> {
  return pulumi.secret(
    pulumi
      .all(Object.fromEntries(Object.entries(connections).map(([name, { dialled: whole }]) => [name, whole])))
      .apply((known) => {
        const keys = new Map<string, string>();
        const nodes = Object.entries(known).map(([name, { host, port, user, hostKey, privateKey }]) => {
          const key = keys.get(privateKey) ?? `key${String(keys.size + 1)}`;
          keys.set(privateKey, key);
          return [name, { host, port, user, hostKey, key }] as const;
        });
        return {
          keys: Object.fromEntries([...keys].map(([text, key]) => [key, text])),
          nodes: Object.fromEntries(nodes),
        };
      }),
  );
}
