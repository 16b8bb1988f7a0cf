import { connect as connectSocket, isIP, type Socket } from "node:net";
import { systemErrorText } from "./gotext";

/** Writes host and port as Go does: an IPv6 address in brackets. */
export function joinHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Opens a socket; `seconds` limits the wait, 0 does not, and with less than none the time is over before it begins. */
export function openSocket(to: { path: string } | { host: string; port: number }, seconds: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const target = "path" in to ? `unix ${to.path}` : `tcp ${joinHostPort(to.host, to.port)}`;
    if (seconds < 0) {
      const isName = "host" in to && to.host !== "" && isIP(to.host) === 0;
      throw new Error(`dial ${isName ? `tcp: lookup ${to.host}` : target}: i/o timeout`);
    }
    const socket = connectSocket(to);
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
