import type { KubeConfig } from "@kubernetes/client-node";
import { Agent, get } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** Connections that are open to one pod at a time. */
const AT_ONCE = 4;

/**
 * A way to a port of a pod that goes by the API server and the pod's kubelet, as that of `kubectl port-forward`: it is there where the
 * pod network is not. Close it when done.
 */
export class Forward {
  readonly #server: Server;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  readonly #sockets = new Set<Socket>();
  #trouble: string | undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Opens a way to a port of a pod, by a port of 127.0.0.1 that is free. */
  static async open(config: KubeConfig, namespace: string, pod: string, port: number): Promise<Forward> {
    const { PortForward } = await import("@kubernetes/client-node");
    const portForward = new PortForward(config);
    const server = createServer((socket) => {
      forward.#sockets.add(socket);
      socket.on("close", () => forward.#sockets.delete(socket));
      socket.on("error", () => socket.destroy());
      portForward.portForward(namespace, pod, [port], socket, null, socket).then(
        (way) => {
          // Without tries of its own it gives the WebSocket, whose type the library leaves to a package that it does not bring.
          const open = way as { onclose: (() => void) | null; close: () => void };
          open.onclose = () => socket.destroy();
          if (socket.destroyed) {
            open.close();
          }
          socket.on("close", () => open.close());
        },
        (error: unknown) => {
          forward.#trouble = reasonOf(error);
          socket.destroy();
        },
      );
    });
    const forward = new Forward(server);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    return forward;
  }

  /** What the pod answers to a GET, or throws: why there is no way to it, or that it does not answer within so many milliseconds. */
  fetch(path: string, timeout: number): Promise<string> {
    const { port } = this.#server.address() as AddressInfo;
    return new Promise((resolve, reject) => {
      const call = get({ host: "127.0.0.1", port, path, agent: this.#agent, timeout }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
      });
      call.on("timeout", () => call.destroy(new Silent(timeout)));
      call.on("error", (error) => {
        const trouble = this.#trouble;
        reject(error instanceof Silent || trouble === undefined ? error : new NoWay(trouble));
      });
    });
  }

  /** Ends it and all that goes by it. */
  close(): void {
    this.#agent.destroy();
    this.#server.close();
    this.#sockets.forEach((socket) => socket.destroy());
  }
}

/** That nothing came back in time. */
export class Silent extends Error {
  override readonly name = "Silent";
  constructor(milliseconds: number) {
    super(`no answer within ${String(milliseconds / 1000)} s`);
  }
}

/** That the API server or the kubelet gives no way to a pod, which says nothing about the network. */
export class NoWay extends Error {
  override readonly name = "NoWay";
}

function reasonOf(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown };
  return typeof message === "string" && message !== "" ? message : String(error);
}
