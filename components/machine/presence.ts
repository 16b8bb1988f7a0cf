import { Client, utils } from "ssh2";
import { z } from "zod";
import { shortHash } from "../args/hash";
import type { Dialled } from "./dialled";

/** How a machine is known again without any key of a user's: where it answers, and by which host key. */
export const machineAddress = z.strictObject({
  host: z.string(),
  port: z.number(),
  /** Type of the host key, such as ssh-ed25519. */
  type: z.string(),
  /** Hash of the host key. */
  key: z.string(),
});
/** How a machine is known again. */
export type MachineAddress = z.output<typeof machineAddress>;

/** The address of a machine, from the connection to it. Throws when its host key cannot be read. */
export function addressOf({ host, port, hostKey }: Pick<Dialled, "host" | "port" | "hostKey">): MachineAddress {
  const pinned = utils.parseKey(hostKey);
  if (pinned instanceof Error) {
    throw new Error(`${host}: its pinned host key cannot be read: ${pinned.message}`);
  }
  return { host, port, type: hostKey.split(" ")[0] ?? "", key: shortHash(pinned.getPublicSSH()) };
}

/** Why a machine does not answer at its address as the one that it was, within a time in milliseconds; nothing when it does. */
export function absence({ host, port, type, key }: MachineAddress, timeout = 10_000): Promise<string | undefined> {
  return new Promise((resolve) => {
    const client = new Client();
    let seen: string | undefined;
    const end = (reason: string | undefined): void => {
      client.end();
      resolve(reason);
    };
    client.on("error", (error) =>
      end(seen === undefined ? error.message : seen === key ? undefined : "it has another host key"),
    );
    client.on("close", () => end("it closed the connection"));
    client.connect({
      host,
      port,
      username: "podnet",
      readyTimeout: timeout,
      // The key is all that is asked for.
      hostVerifier: (offered: Buffer) => {
        seen = shortHash(offered);
        return false;
      },
      algorithms: { serverHostKey: type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : [type as "ssh-ed25519"] },
    });
  });
}
