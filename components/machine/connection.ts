import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { checkPlain } from "../args/checked";
import { hostName, port, secretText, unsaid } from "../args/schemas";
import { InvalidInputError, messageOf, type Problem, show, validate } from "../args/validate";
import type { DialTable } from "./dialTable";
import type { Dialled } from "./dialled";
import { readableHostKey } from "./hostKey";
import { privateKeyProblems, readablePrivateKey } from "./keys";

/** How a machine is reached over SSH; the fields have the names of @pulumi/command's connection. */
export interface SshConnection {
  /** Host name or address. */
  host: pulumi.Input<string>;
  /** TCP port; 22 by default. */
  port?: pulumi.Input<number>;
  /** User who is root or may run `sudo -n`; root by default. */
  user?: pulumi.Input<string>;
  /** Private key in OpenSSH or PEM form, PKCS #8 included: a secret. */
  privateKey: pulumi.Input<string>;
  /** Passphrase of the private key, where it has one: a secret. */
  privateKeyPassword?: pulumi.Input<string>;
  /** The machine's public host key, as in known_hosts or a .pub file. It is pinned: another one ends the connection. */
  hostKey: pulumi.Input<string>;
}

const hostKey = z.string().transform((text, context) => {
  try {
    return readableHostKey(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: messageOf(error) });
    return z.NEVER;
  }
});

const fields = z.strictObject(
  {
    host: hostName,
    port: port.optional(),
    user: z
      .string()
      // What sshd takes, directories of an organization included; nothing that a shell would read in a line to copy.
      .regex(/^[A-Za-z0-9_][A-Za-z0-9._@-]{0,254}\$?$/, {
        error: (issue) => `must be a user name (letters, digits, ., _, - and @), got ${show(issue.input)}`,
      })
      .optional(),
    privateKey: secretText,
    privateKeyPassword: secretText.optional(),
    hostKey,
  },
  unsaid("an object"),
);

/** Schema of {@link SshConnection}; its keys are read by the library that will use them, and the host key is left as one line. */
export const sshConnection = fields.superRefine(
  ({ privateKey, privateKeyPassword }, context) => {
    // What is no text was reported as such, and what is not known yet is undefined.
    if (typeof privateKey === "string" && ["string", "undefined"].includes(typeof privateKeyPassword)) {
      for (const { path, message } of privateKeyProblems(privateKey, privateKeyPassword)) {
        context.addIssue({ code: "custom", path: [path], message });
      }
    }
  },
  { when: () => true },
);

/** A node's connection, checked. Its keys are secrets; host and user are not. */
export interface CheckedConnection {
  readonly host: pulumi.Input<string>;
  readonly user: pulumi.Input<string>;
  /** All of it as one value, a secret: Pulumi takes many steps for each Output in the inputs of each resource. */
  readonly dialled: pulumi.Output<Dialled>;
}

/** Schemas of single fields: to make one is not cheap. */
const FIELDS = {
  host: fields.pick({ host: true }),
  port: fields.pick({ port: true }),
  user: fields.pick({ user: true }),
  hostKey: fields.pick({ hostKey: true }),
} as const;

/** A private key and its passphrase become one key that needs none: at a preview, by the library that will use it. */
const keys = z
  .strictObject({ privateKey: secretText, privateKeyPassword: secretText.optional() })
  .transform(({ privateKey, privateKeyPassword }, context) => {
    const problems = privateKeyProblems(privateKey, privateKeyPassword);
    problems.forEach(({ path, message }) => context.addIssue({ code: "custom", path: [path], message }));
    return problems.length > 0 ? z.NEVER : readablePrivateKey(privateKey, privateKeyPassword);
  });

/**
 * Checks a node's connection: what is plainly wrong at once, with every problem, naming the node; what is not known yet, field by
 * field, so that one that is unknown leaves the others known.
 */
export function checkedConnection(nodeName: string, ssh: SshConnection): CheckedConnection {
  const subject = `connection of node "${nodeName}"`;
  checkPlain(subject, sshConnection, ssh);
  const field = <K extends keyof typeof FIELDS>(name: K, value: pulumi.Input<Dialled[K]>): pulumi.Input<Dialled[K]> =>
    mapped(value, (known) => (validate<z.ZodType>(subject, FIELDS[name], { [name]: known }) as Dialled)[name]);
  const host = field("host", ssh.host);
  const user = field("user", ssh.user ?? "root");
  return {
    host,
    user,
    dialled: pulumi.secret({
      host,
      port: field("port", ssh.port ?? 22),
      user,
      privateKey:
        ssh.privateKeyPassword === undefined
          ? mapped(ssh.privateKey, (privateKey) => validate(subject, keys, { privateKey }))
          : pulumi
              .all([ssh.privateKey, ssh.privateKeyPassword])
              .apply(([privateKey, privateKeyPassword]) => validate(subject, keys, { privateKey, privateKeyPassword })),
      hostKey: field("hostKey", ssh.hostKey),
    }),
  };
}

/** What is plainly wrong with the connections of many machines, at the paths that they have below `nodes`. */
export function connectionProblems(nodes: Readonly<Record<string, { readonly connection: SshConnection }>>): Problem[] {
  return Object.entries(nodes).flatMap(([name, { connection }]) => {
    try {
      checkPlain("", sshConnection, connection);
      return [];
    } catch (error) {
      if (!(error instanceof InvalidInputError)) {
        throw error;
      }
      return error.problems.map(({ path, message }) => ({
        path: ["nodes", name, "connection", ...(path === "" ? [] : [path])].join("."),
        message,
      }));
    }
  });
}

/** Applies a function to what may be known already; what is plain stays plain. */
export function mapped<T, U>(value: pulumi.Input<T>, change: (known: T) => U): pulumi.Input<U> {
  return pulumi.Output.isInstance(value) || value instanceof Promise
    ? (pulumi.output(value) as pulumi.Output<T>).apply(change)
    : change(value);
}

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
