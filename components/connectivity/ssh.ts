import { setTimeout as sleep } from "node:timers/promises";
import { Client, utils } from "ssh2";
import type { z } from "zod";
import type { connection } from "./input";

type Connection = z.output<typeof connection>;

/** What a script on a node printed. */
export interface ScriptResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** An SSH connection to one node, on which scripts run as root. */
export class NodeShell {
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
  static async open(name: string, connection: Connection, patience = 20_000): Promise<NodeShell> {
    const deadline = Date.now() + patience;
    for (;;) {
      try {
        return await NodeShell.#connect(name, connection);
      } catch (error) {
        const booting = /ECONNREFUSED|ECONNRESET|EHOSTUNREACH|Connection lost before handshake/.test(String(error));
        if (!booting || Date.now() > deadline) {
          throw error;
        }
        await sleep(250);
      }
    }
  }

  static #connect(name: string, connection: Connection): Promise<NodeShell> {
    const { host, port, user, privateKey, hostKey } = connection;
    const pinned = utils.parseKey(hostKey);
    if (pinned instanceof Error) {
      throw new Error(`${name}: its pinned host key cannot be read: ${pinned.message}`);
    }
    const key: Buffer = pinned.getPublicSSH();
    const type = hostKey.split(" ")[0] ?? "";
    return new Promise((resolve, reject) => {
      const client = new Client();
      client.on("ready", () => resolve(new NodeShell(name, client, user)));
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

  /** Runs a Bash script as root, its text given by standard input; ended after `timeout` seconds. */
  run(script: string, timeout = 30): Promise<ScriptResult> {
    const root = this.user === "root" ? "" : "sudo -n ";
    return new Promise((resolve, reject) => {
      this.#client.exec(`${root}timeout -k 2 ${String(timeout)} bash --norc --noprofile -s`, (error, channel) => {
        if (error) {
          reject(new Error(`${this.name}: ${error.message}`));
          return;
        }
        const out: Buffer[] = [];
        const err: Buffer[] = [];
        channel.on("data", (chunk: Buffer) => out.push(chunk));
        channel.stderr.on("data", (chunk: Buffer) => err.push(chunk));
        channel.on("close", (code: number | null) => {
          resolve({
            code: code ?? 1,
            stdout: Buffer.concat(out).toString("utf8"),
            stderr: Buffer.concat(err).toString("utf8"),
          });
        });
        channel.end(script);
      });
    });
  }

  /** Ends the connection. */
  close(): void {
    this.#client.end();
  }
}
