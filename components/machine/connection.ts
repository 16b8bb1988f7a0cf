import type * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { checkPlain } from "../args/checked";
import { hostName, port } from "../args/schemas";
import { show, validate } from "../args/validate";

/** How a machine is reached over SSH; the fields have the names of @pulumi/command's connection. */
export interface SshConnection {
  /** Host name or address. */
  host: pulumi.Input<string>;
  /** TCP port; 22 by default. */
  port?: pulumi.Input<number>;
  /** User who is root or may run `sudo -n`; root by default. */
  user?: pulumi.Input<string>;
  /** Private key in OpenSSH or PEM form: a secret. */
  privateKey: pulumi.Input<string>;
  /** The machine's public host key, as in a known_hosts line after the host. It is pinned: another one ends the connection. */
  hostKey: pulumi.Input<string>;
}

/** Schema of {@link SshConnection}. */
export const sshConnection = z.strictObject({
  host: hostName,
  port: port.optional(),
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}\$?$/, { error: (issue) => `must be a user name, got ${show(issue.input)}` })
    .optional(),
  privateKey: z.string().regex(/-----BEGIN [A-Z ]*PRIVATE KEY-----/, "must be a private key in OpenSSH or PEM form"),
  hostKey: z
    .string()
    .regex(
      /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+=*( .*)?\s*$/,
      "must be a public key as in /etc/ssh/ssh_host_ed25519_key.pub on the machine",
    ),
});

/** A connection with every field given, as it goes to what dials. Holds a secret. */
export const dialled = z.strictObject({
  host: z.string(),
  port: z.number(),
  user: z.string(),
  privateKey: z.string(),
  hostKey: z.string(),
});

/** A connection with every field given. */
export type Dialled = z.output<typeof dialled>;

/** The connection of @pulumi/command to a node, checked. Its keys are secrets; host, port and user are not. */
export interface CheckedConnection extends command.types.input.remote.ConnectionArgs {
  readonly host: pulumi.Output<string>;
  readonly port: pulumi.Output<number>;
  readonly user: pulumi.Output<string>;
  readonly privateKey: pulumi.Output<string>;
  readonly hostKey: pulumi.Output<string>;
}

/**
 * Checks a node's connection: what is plainly wrong at once, with every problem, naming the node; what is not known yet, field by
 * field, so that one that is unknown leaves the others known.
 */
export function checkedConnection(nodeName: string, ssh: SshConnection): CheckedConnection {
  const subject = `connection of node "${nodeName}"`;
  checkPlain(subject, sshConnection, ssh);
  const { host: hostSchema, port: portSchema, user, privateKey, hostKey } = sshConnection.shape;
  return {
    host: checkedField(subject, "host", hostSchema, ssh.host),
    port: checkedField(subject, "port", portSchema, ssh.port).apply((number) => number ?? 22),
    user: checkedField(subject, "user", user, ssh.user).apply((name) => name ?? "root"),
    privateKey: pulumi.secret(checkedField(subject, "privateKey", privateKey, ssh.privateKey)),
    hostKey: pulumi.secret(checkedField(subject, "hostKey", hostKey, ssh.hostKey)),
  };
}

function checkedField<T extends z.ZodType>(
  subject: string,
  name: string,
  schema: T,
  value: unknown,
): pulumi.Output<z.output<T>> {
  return (pulumi.output(value) as pulumi.Output<unknown>).apply(
    (known) => validate(subject, z.object({ [name]: schema }), { [name]: known })[name] as z.output<T>,
  );
}
