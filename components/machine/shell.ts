import { createHash } from "node:crypto";
import { Client, utils } from "ssh2";
import { messageOf } from "../args/validate";
import { type Look, waitUntil } from "../args/wait";
import type { Dialled } from "./dialled";

/** What a command on a machine printed, and its exit code. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Seconds that a machine may take to boot, and be dialled again meanwhile. */
export const BOOT_SECONDS = 60;

/** Seconds that one attempt to connect may take. */
const DIAL_SECONDS = 10;

/** What is heard of a machine that boots: its network is slow or not up, then its sshd is not, then pam_nologin holds users back. */
const BOOTING = new RegExp(
  [
    "ECONNREFUSED|ECONNRESET|EPIPE|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ETIMEDOUT",
    "Connection lost before handshake|Timed out while waiting for handshake",
    "System is (booting up|going down)|not permitted to log in yet",
  ].join("|"),
);

/** What to do where a machine says no, by what is heard of it then. What is dialled again while it boots has no remedy. */
const REMEDIES: readonly (readonly [heard: RegExp, remedy: (dialled: Dialled) => string])[] = [
  [
    /verification failed/,
    ({ host, port }) =>
      `where the machine was installed anew, give its new key as hostKey (ssh-keyscan -p ${String(port)} ${host}); else it is another machine, or one in between`,
  ],
  [
    /configured authentication methods failed/,
    ({ user }) =>
      `see that ${user} is its SSH user, and has the public part of privateKey in ~/.ssh/authorized_keys there`,
  ],
  [
    /no matching host key format/,
    ({ hostKey }) =>
      `it has no host key of the pinned type ${hostKey.split(" ")[0] ?? ""}; pin one that it has (ssh-keyscan, /etc/ssh/ssh_host_*_key.pub)`,
  ],
  [
    /ENOTFOUND|EAI_AGAIN/,
    ({ host }) => `see that the name ${host} is right and is known on the machine that runs podnet`,
  ],
];

/** A key's fingerprint, as OpenSSH writes it. */
function fingerprint(key: Buffer): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
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
   * Connects, or throws with the node's name and the reason. A node whose answer is that of a machine that boots is asked again
   * for `seconds`, which `say` hears. Another host key than the pinned one is refused.
   */
  static open(
    name: string,
    connection: Dialled,
    seconds = BOOT_SECONDS,
    say: (line: string) => void = console.error,
  ): Promise<Shell> {
    const what = `no SSH connection to ${name}`;
    return waitUntil({ what, seconds, everyMs: 250, say }, async (left): Promise<Look<Shell>> => {
      try {
        return { value: await Shell.#connect(name, connection, Math.min(DIAL_SECONDS, Math.max(1, left))) };
      } catch (error) {
        const reason = messageOf(error);
        if (BOOTING.test(reason)) {
          return { reason };
        }
        const [, remedy] = REMEDIES.find(([heard]) => heard.test(reason)) ?? [];
        throw remedy === undefined ? error : new Error(`${reason}; ${remedy(connection)}`, { cause: error });
      }
    });
  }

  /** Connects as {@link Shell.open} does, does work over the connection, and ends it. */
  static async use<T>(name: string, connection: Dialled, work: (shell: Shell) => Promise<T>): Promise<T> {
    const shell = await Shell.open(name, connection);
    try {
      return await work(shell);
    } finally {
      shell.close();
    }
  }

  static #connect(name: string, connection: Dialled, seconds: number): Promise<Shell> {
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
      // sshd says in a banner why it lets nobody in, such as pam_nologin's "System is booting up".
      let banner = "";
      let other = "";
      client.on("banner", (text) => (banner = `: ${text.trim()}`));
      client.on("error", ({ message }) =>
        reject(new Error(`${name} (${host}:${String(port)}): ${message}${other}${banner}`)),
      );
      client.connect({
        host,
        port,
        username: user,
        privateKey,
        readyTimeout: seconds * 1000,
        // A machine that is frozen or gone answers nothing and ends nothing: it is known after 20 seconds.
        keepaliveInterval: 5_000,
        keepaliveCountMax: 3,
        hostVerifier: (seen: Buffer) => {
          other = seen.equals(key) ? "" : `: its host key is ${fingerprint(seen)}, and hostKey is ${fingerprint(key)}`;
          return other === "";
        },
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
        const broken = (reason: Error): void => {
          clearTimeout(timer);
          reject(new Error(`${this.name}: it answers no more (${reason.message})`));
        };
        this.#client.once("error", broken);
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
          this.#client.off("error", broken);
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
    // One that is frozen would never end it from its side, and keep this process.
    setTimeout(() => this.#client.destroy(), 1000).unref();
  }
}

/** Plain words for a login shell, with `sudo -n` before them where the SSH user is not root. */
export function asRoot(words: string, user: string): string {
  return user === "root" ? words : `sudo -n ${words}`;
}
