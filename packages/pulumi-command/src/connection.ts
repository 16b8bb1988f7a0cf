import { connect as connectSocket, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, type AnyAuthMethod, type ConnectConfig, type ServerHostKeyAlgorithm } from "ssh2";
import { systemErrorText } from "./gotext";
import { parseAuthorizedKey, parsePrivateKey, type PublicKey } from "./keys";
import { abortText, type Operation } from "./operation";

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
  /** Seconds for one TCP connect; 0: no limit. */
  readonly perDialTimeout?: number;
  readonly hostKey?: string;
}

/** An endpoint, and the bastion through which it is reached. */
export interface Connection extends Endpoint {
  readonly proxy?: Endpoint;
}

/**
 * Silence after which a peer counts as gone: 15 s times 10, which is what TCP keep-alive gives the official provider.
 * SSH's own keep-alive is used, since Node cannot set TCP's interval.
 */
const keepAlive = { keepaliveInterval: 15_000, keepaliveCountMax: 9 };
const handshakeLimit = 150_000;

interface Login {
  readonly endpoint: Endpoint;
  /** `host:port`, as errors name it. */
  readonly address: string;
  readonly hostKey: PublicKey | undefined;
  readonly methods: readonly AnyAuthMethod[];
}

/** Writes host and port as Go does: an IPv6 address in brackets. */
function joinHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Opens a socket; `seconds` limits the wait, 0 does not. */
function openSocket(to: { path: string } | { host: string; port: number }, seconds: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(to);
    const target = "path" in to ? `unix ${to.path}` : `tcp ${joinHostPort(to.host, to.port)}`;
    const timer =
      seconds > 0
        ? setTimeout(() => {
            socket.destroy();
            reject(new Error(`dial ${target}: i/o timeout`));
          }, seconds * 1000)
        : undefined;
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.removeAllListeners("error");
      resolve(socket);
    });
    socket.once("error", (failure) => {
      clearTimeout(timer);
      const error: unknown = failure instanceof AggregateError ? (failure.errors as unknown[])[0] : failure;
      const { address, port, syscall } = error as { address?: string; port?: number; syscall?: string };
      if (syscall === "getaddrinfo" && "host" in to) {
        reject(new Error(`dial tcp: lookup ${to.host}: no such host`, { cause: failure }));
        return;
      }
      const seen = address !== undefined && port !== undefined ? `tcp ${joinHostPort(address, port)}` : target;
      reject(new Error(`dial ${seen}: connect: ${systemErrorText(error)}`, { cause: failure }));
    });
  });
}

/** Reads keys and finds the agent. What is wrong here is wrong for good, so it is not tried again. */
async function prepare(endpoint: Endpoint): Promise<Login> {
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

/** Tries again after 0.1 s, growing by half each time up to 5 s, until the limit of failed attempts is passed. */
async function withRetry<T>(operation: Operation, what: string, limit: number, attempt: () => Promise<T>): Promise<T> {
  for (let tries = 0, delay = 100; ; tries++, delay = Math.min(delay * 1.5, 5000)) {
    try {
      return await attempt();
    } catch (error) {
      if (limit > -1 && tries + 1 > limit) {
        throw new Error(`after ${tries} failed attempts: ${(error as Error).message}`, { cause: error });
      }
      void operation.log("info", `${what} ${tries + 1}/${limit === -1 ? "inf" : limit} failed: retrying`, true);
    }
    await sleep(delay, undefined, { signal: operation.signal }).catch(() => {
      throw new Error(abortText(operation.signal));
    });
  }
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
function handshake(login: Login, sock: Duplex): Promise<Dialled> {
  const { endpoint, hostKey, methods, address } = login;
  return new Promise((resolve, reject) => {
    const client = new Client();
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

const openFailures: Record<number, string> = {
  1: "administratively prohibited",
  2: "connect failed",
  3: "unknown channel type",
  4: "resource shortage",
};

/** Why the server refused a channel, in the words of Go's SSH package. */
export function channelFailure(error: Error): string {
  const reason = "reason" in error && typeof error.reason === "number" ? openFailures[error.reason] : undefined;
  const detail = error.message.replace(/^\(SSH\) Channel open failure: /, "");
  return reason === undefined ? detail : `ssh: rejected: ${reason} (${detail})`;
}

function tunnel(proxy: Dialled, to: Endpoint): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    proxy.client.forwardOut("0.0.0.0", 0, to.host, Math.trunc(to.port ?? 22), (error, stream) => {
      if (error) {
        reject(new Error(channelFailure(error), { cause: error }));
      } else {
        resolve(stream);
      }
    });
  });
}

/** Connects and logs in, through the proxy where there is one, trying again as often as the endpoints allow. */
export async function dial(operation: Operation, connection: Connection): Promise<Dialled> {
  const limitOf = (endpoint: Endpoint): number => endpoint.dialErrorLimit ?? 10;
  const login = await prepare(connection);
  const direct = async (to: Login): Promise<Dialled> => {
    const { host, port = 22, perDialTimeout = 15 } = to.endpoint;
    return handshake(to, await openSocket({ host, port: Math.trunc(port) }, perDialTimeout));
  };
  if (!connection.proxy) {
    return withRetry(operation, "Dial", limitOf(connection), () => direct(login));
  }
  let proxy: Dialled | undefined;
  try {
    const proxyLogin = await prepare(connection.proxy);
    const opened = await withRetry(operation, "Dial proxy", limitOf(connection.proxy), () => direct(proxyLogin));
    proxy = opened;
    const first = await withRetry(operation, "Dial from proxy", limitOf(connection), () => tunnel(opened, connection));
    let stream: Duplex | undefined = first;
    const inner = await withRetry(operation, "Dial", limitOf(connection), async () => {
      const sock = stream ?? (await tunnel(opened, connection));
      stream = undefined;
      return handshake(login, sock);
    });
    return {
      ...inner,
      lost: () => inner.lost() ?? opened.lost(),
      close: async () => {
        await inner.close();
        await opened.close();
      },
    };
  } catch (error) {
    await proxy?.close();
    throw new Error(`proxy: ${(error as Error).message}`, { cause: error });
  }
}

/** Connects, does one thing, and closes the connection whatever happens. */
export async function connected<T>(
  operation: Operation,
  connection: Connection,
  action: (dialled: Dialled) => Promise<T>,
): Promise<T> {
  const dialled = await dial(operation, connection);
  try {
    return await action(dialled);
  } finally {
    await dialled.close();
  }
}
