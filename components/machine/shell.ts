import { setTimeout as sleep } from "node:timers/promises";
import { Client, utils } from "ssh2";
import type { Dialled } from "./dialled";

/** What a command on a machine printed, and its exit code. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** An SSH connection to one machine, on which commands run as root. */
export class Shell {
  readonly #client: Client;

  private constructor(
    readonly name: string,
    client: Client,
    private readonly user: string,
  ) {
    this.#client = client;
  }

  /**
   * Connects, or throws with the node's name and the reason. A node that refuses connections may be booting: it is tried
   * again for `patience` milliseconds. Another host key than the pinned one is refused.
   */
  static async open(name: string, connection: Dialled, patience = 20_000): Promise<Shell> {
    const deadline = Date.now() + patience;
    for (;;) {
      try {
        return await Shell.#connect(name, connection);
      } catch (error) {
        const booting = /ECONNREFUSED|ECONNRESET|EHOSTUNREACH|Connection lost before handshake/.test(String(error));
        if (!booting || Date.now() > deadline) {
          throw error;
        }
        await sleep(250);
      }
    }
  }

  static #connect(name: string, connection: Dialled): Promise<Shell> {
    const { host, port, user, privateKey, hostKey } = connection;
    const pinned = utils.parseKey(hostKey);
    if (pinned instanceof Error) {
      throw new Error(`${name}: its pinned host key cannot be read: ${pinned.message}`);
    }
    const key: Buffer = pinned.getPublicSSH();
    const type = hostKey.split(" ")[0] ?? "";
    return new Promise((resolve, reject) => {
      const client = new Client();
      // A small request would wait for the other side's delayed acknowledgement.
      client.on("connect", () => client.setNoDelay(true));
      client.on("ready", () => resolve(new Shell(name, client, user)));
      client.on("error", (error) => reject(new Error(`${name} (${host}:${String(port)}): ${error.message}`)));
      client.connect({
        host,
        port,
        username: user,
        privateKey,
        readyTimeout: 10_000,
        hostVerifier: (seen: Buffer) => seen.equals(key),
        algorithms: {
          serverHostKey: type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : [type as "ssh-ed25519"],
        },
      });
    });
  }

  /** Runs plain words as root, with `input` on standard input. Ends the wait after `timeout` seconds with an error. */
  run(words: string, input: string, timeout: number): Promise<CommandResult> {
    return new Promise((resolve, reject) => {
      this.#client.exec(asRoot(words, this.user), (error, channel) => {
        if (error) {
          reject(new Error(`${this.name}: ${error.message}`));
          return;
        }
        const timer = setTimeout(() => {
          reject(new Error(`${this.name}: no end of \`${words}\` within ${String(timeout)} s`));
          channel.destroy();
        }, timeout * 1000);
        const out: Buffer[] = [];
        const err: Buffer[] = [];
        channel.on("data", (chunk: Buffer) => out.push(chunk));
        channel.stderr.on("data", (chunk: Buffer) => err.push(chunk));
        channel.on("close", (code: number | null) => {
          clearTimeout(timer);
          resolve({
            code: code ?? 1,
            stdout: Buffer.concat(out).toString("utf8"),
            stderr: Buffer.concat(err).toString("utf8"),
          });
        });
        channel.end(input);
      });
    });
  }

  /** Ends the connection. */
  close(): void {
    this.#client.end();
  }
}

/** Plain words for a login shell, with `sudo -n` before them where the SSH user is not root. */
export function asRoot(words: string, user: string): string {
  return user === "root" ? words : `sudo -n ${words}`;
}
