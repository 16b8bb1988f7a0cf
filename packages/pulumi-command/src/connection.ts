import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { handshake, prepareLogin, type Dialled, type Endpoint, type Login } from "./login";
import { abortText, type Operation } from "./operation";
import { openSocket } from "./socket";

/** An endpoint, and the bastion through which it is reached. */
export interface Connection extends Endpoint {
  readonly proxy?: Endpoint;
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
  const login = await prepareLogin(connection);
  const direct = async (to: Login): Promise<Dialled> => {
    const { host, port = 22, perDialTimeout = 15 } = to.endpoint;
    return handshake(to, await openSocket({ host, port: Math.trunc(port) }, perDialTimeout));
  };
  if (!connection.proxy) {
    return withRetry(operation, "Dial", limitOf(connection), () => direct(login));
  }
  let proxy: Dialled | undefined;
  try {
    const proxyLogin = await prepareLogin(connection.proxy);
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
