import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, type AnyAuthMethod, type ConnectConfig, type ServerHostKeyAlgorithm } from "ssh2";
import { parseAuthorizedKey, parsePrivateKey, type PublicKey } from "./keys";
import { joinHostPort, openSocket } from "./socket";

/** One SSH endpoint, known and without secret wrapping. Defaults are those of the schema. */
export interface Endpoint {
  readonly user?: string;
  readonly password?: string;
  readonly host: string;
  readonly port?: number;
  readonly privateKey?: string;
  readonly privateKeyPassword?: string;
  readonly agentSocketPath?: string;
  /** Failed attempts that are forgiven; -1: any number. */
  readonly dialErrorLimit?: number;
  /** Seconds for one TCP connect; 0: no limit; less: none, so that it fails. */
  readonly perDialTimeout?: number;
  readonly hostKey?: string;
}

/**
 * Silence after which a peer counts as gone: 15 s times 10, which is what TCP keep-alive gives the official provider.
 * SSH's own keep-alive is used, since Node cannot set TCP's interval.
 */
const keepAlive = { keepaliveInterval: 15_000, keepaliveCountMax: 9 };
const handshakeLimit = 150_000;

/** What it takes to log in to an endpoint, keys read and agent found. */
export interface Login {
  readonly endpoint: Endpoint;
  /** `host:port`, as errors name it. */
  readonly address: string;
  readonly hostKey: PublicKey | undefined;
  readonly methods: readonly AnyAuthMethod[];
}

/** Reads keys and finds the agent. What is wrong here is wrong for good, so it is not tried again. */
export async function prepareLogin(endpoint: Endpoint): Promise<Login> {
  let hostKey: PublicKey | undefined;
  if (endpoint.hostKey !== undefined) {
    try {
      hostKey = parseAuthorizedKey(endpoint.hostKey);
    } catch (error) {
      throw new Error(`failed to parse host key: ${(error as Error).message}`, { cause: error });
    }
  }
  const username = endpoint.user ?? "root";
  const methods: AnyAuthMethod[] = [];
  if (endpoint.privateKey !== undefined) {
    const key = parsePrivateKey(endpoint.privateKey, endpoint.privateKeyPassword);
    methods.push({ type: "publickey", username, key });
  }
  const { password } = endpoint;
  if (password !== undefined) {
    methods.push({ type: "password", username, password });
    methods.push({
      type: "keyboard-interactive",
      username,
      prompt: (_name, _instructions, _language, prompts, finish) => finish(prompts.map(() => password)),
    });
  }
  const agent = endpoint.agentSocketPath ?? process.env["SSH_AUTH_SOCK"] ?? "";
  if (endpoint.agentSocketPath !== undefined || agent !== "") {
    (await openSocket({ path: agent }, 0)).destroy();
    methods.push({ type: "agent", username, agent });
  }
  return { endpoint, address: joinHostPort(endpoint.host, Math.trunc(endpoint.port ?? 22)), hostKey, methods };
}

/** An authenticated connection. */
export interface Dialled {
  readonly client: Client;
  /** `host:port`, as errors name it. */
  readonly address: string;
  /** Why the connection ended; undefined while it lives. */
  lost(): string | undefined;
  close(): Promise<void>;
}

async function closeClient(client: Client, closed: Promise<void>): Promise<void> {
  client.end();
  // A peer that does not answer the goodbye is not waited for.
  await Promise.race([closed, sleep(1000, undefined, { ref: false })]);
  client.destroy();
}

/** SSH handshake and login over an open stream, one attempt of each method in the official provider's order. */
export function handshake(login: Login, sock: Duplex): Promise<Dialled> {
  const { endpoint, hostKey, methods, address } = login;
  return new Promise((resolve, reject) => {
    const client = new Client();
    // Small requests in a row, as SFTP makes them, would each wait for the other side's delayed acknowledgement.
    client.once("connect", () => client.setNoDelay(true));
    let lost: string | undefined;
    let refusal: string | undefined;
    const tried: string[] = [];
    const nameOf = (method: AnyAuthMethod): string => (method.type === "agent" ? "publickey" : method.type);
    const fail = (reason: string): void => {
      client.destroy();
      sock.destroy();
      reject(new Error(`ssh: handshake failed: ${refusal ?? reason}`));
    };
    const closed = new Promise<void>((done) => {
      client.once("close", () => {
        lost ??= "closed by the other side";
        done();
        fail("EOF");
      });
    });
    client.on("error", (error) => {
      lost ??= error.message;
      if (error.message === "Connection lost before handshake") {
        fail("EOF");
        return;
      }
      const format = error.message.includes("host key format");
      fail(format && hostKey ? `ssh: no common algorithm for host key; we offered: [${hostKey.type}]` : error.message);
    });
    client.once("ready", () =>
      resolve({ client, address, lost: () => lost, close: () => closeClient(client, closed) }),
    );
    const config: ConnectConfig = {
      ...keepAlive,
      sock,
      username: endpoint.user ?? "root",
      readyTimeout: handshakeLimit,
      hostVerifier: (key: Buffer) => {
        const right = hostKey === undefined || key.equals(hostKey.blob);
        if (!right) {
          refusal = "ssh: host key mismatch";
        }
        return right;
      },
      authHandler: (left, _partial, next) => {
        // ssh2's types leave out that nothing is known before the first answer.
        const open = left as string[] | null;
        if (open === null) {
          tried.push("none");
          next({ type: "none", username: endpoint.user ?? "root" });
          return;
        }
        const method = methods.find((each) => open.includes(nameOf(each)) && !tried.includes(nameOf(each)));
        if (method) {
          tried.push(nameOf(method));
          next(method);
          return;
        }
        refusal = `ssh: unable to authenticate, attempted methods [${tried.join(" ")}], no supported methods remain`;
        fail(refusal);
      },
    };
    if (hostKey) {
      config.algorithms = { serverHostKey: [hostKey.type as ServerHostKeyAlgorithm] };
    }
    try {
      client.connect(config);
    } catch (error) {
      fail((error as Error).message);
    }
  });
}
