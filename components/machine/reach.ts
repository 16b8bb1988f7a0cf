import { connect } from "node:net";

/**
 * Why nothing answers at a port, within a time in seconds; undefined where a service does, or the machine says that none listens:
 * both show that packets get there and back.
 */
export function portTrouble(host: string, port: number, seconds: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (reason?: string): void => {
      socket.destroy();
      resolve(reason);
    };
    socket.setTimeout(seconds * 1000, () => end(`no answer within ${String(seconds)} s`));
    socket.on("connect", () => end());
    socket.on("error", (error) => {
      // A name may have several addresses, each with an error of its own.
      const errors = (error instanceof AggregateError ? error.errors : [error]) as NodeJS.ErrnoException[];
      const refused = errors.some(({ code }) => code === "ECONNREFUSED");
      end(refused ? undefined : errors.map(({ message }) => message).join("; "));
    });
  });
}
