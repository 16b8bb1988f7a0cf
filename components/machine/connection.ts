import type * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { connection } from "../args/components";
import { checked } from "../args/checked";
import type { SshConnection } from "./NodeArgs";

/** The connection of @pulumi/command to a node, checked; a secret as a whole, since it holds the private key. */
export function connectionTo(nodeName: string, ssh: SshConnection): command.types.input.remote.ConnectionArgs {
  const valid = pulumi.secret(checked(`connection of node "${nodeName}"`, connection, ssh));
  return {
    host: pulumi.unsecret(valid.apply(({ host }) => host)),
    port: pulumi.unsecret(valid.apply(({ port }) => port ?? 22)),
    user: pulumi.unsecret(valid.apply(({ user }) => user ?? "root")),
    privateKey: valid.apply(({ privateKey }) => privateKey),
    hostKey: valid.apply(({ hostKey }) => hostKey),
  };
}
