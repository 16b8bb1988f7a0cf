import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Dialled } from "../machine/dialled";
import type { AskOnce } from "./asking";
import { nameOf, type Request } from "./request";

/** A node's own way to the peer: the address that it asks, and the one that it is seen by there. */
export interface WayOut {
  readonly address: string;
  readonly seenAs: string;
}

/** A peer outside the cluster: this machine, where it is none of the cluster's, with a server of the check's own on it. */
export class Peer {
  private constructor(
    private readonly server: Server,
    readonly port: number,
    /** What its answers begin with, so that nobody else's is taken for one. */
    readonly nonce: string,
  ) {}

  /** Opens it on a port that is free. */
  static open(): Promise<Peer> {
    const nonce = randomBytes(8).toString("hex");
    const server = createServer(({ url, socket }, response) => {
      const asked = url === `/${nonce}`;
      response.writeHead(asked ? 200 : 404);
      response.end(asked ? `${nonce} ${(socket.remoteAddress ?? "").replace(/^::ffff:/, "")}` : "");
    });
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, () => resolve(new Peer(server, (server.address() as AddressInfo).port, nonce)));
    });
  }

  /**
   * The ways by which the nodes themselves reach it; a node that does not has none, such as one behind a firewall. Where this machine
   * is one of the cluster's, by the addresses that those have, it is no peer outside it.
   */
  async waysFrom(
    connections: Readonly<Record<string, Dialled>>,
    inside: (address: string) => boolean,
    ask: AskOnce,
  ): Promise<Record<string, WayOut>> {
    const addresses = await Promise.all(
      Object.entries(connections).map(async ([node, { host }]) => [node, await ownAddressTowards(host)] as const),
    );
    const requests = addresses.flatMap(([node, address], index): Request[] =>
      address === undefined || inside(address) ? [] : [this.request(`p${String(index)}`, node, "probe-host", address)],
    );
    const answers = await ask(requests);
    return Object.fromEntries(
      requests.flatMap(({ id, node, ask: { ...asked } }) => {
        const answer = answers.get(id);
        return answer?.ok && "address" in asked
          ? [[node, { address: asked.address, seenAs: answer.values[0] ?? "" }]]
          : [];
      }),
    );
  }

  /** A request to it from a probe of a node. */
  request(id: string, node: string, probe: Request["probe"], address: string): Request {
    const { port, nonce } = this;
    const ask = { kind: "outside", protocol: "TCP", address, port, nonce } as const;
    return { id, claim: "egress", node, probe, source: nameOf(node, probe), target: address, ask };
  }

  /** Ends it. */
  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

/** The address of this machine on the way to a host; undefined where there is no way by IPv4. Sends nothing. */
function ownAddressTowards(host: string): Promise<string | undefined> {
  const socket = createSocket("udp4");
  return new Promise<string | undefined>((resolve) => {
    socket.once("error", () => resolve(undefined));
    // A socket for datagrams that is connected only chooses its way.
    socket.connect(9, host, () => resolve(socket.address().address));
  }).finally(() => socket.close());
}
