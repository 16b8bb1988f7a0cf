import { type AddressInfo, createServer, Socket } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { portTrouble } from "../../../components/machine/reach";

afterEach(() => vi.restoreAllMocks());

test("a port is reached where something listens, and where the machine says that nothing does", async () => {
  const server = createServer();
  await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  expect(await portTrouble("127.0.0.1", port, 5)).toBeUndefined();
  await new Promise((done) => server.close(done));
  expect(await portTrouble("127.0.0.1", port, 5)).toBeUndefined();
});

test("a port of a name with several addresses is reached where one of them is", async () => {
  const failing = (codes: readonly string[]): Promise<string | undefined> => {
    vi.spyOn(Socket.prototype, "connect").mockImplementation(function (this: Socket) {
      const errors = codes.map((code) => Object.assign(new Error(`connect ${code} x:6443`), { code }));
      setImmediate(() => this.emit("error", Object.assign(new AggregateError(errors), { code: codes[0] })));
      return this;
    });
    return portTrouble("cp.example.com", 6443, 5);
  };
  expect(await failing(["ETIMEDOUT", "ECONNREFUSED"])).toBeUndefined();
  expect(await failing(["ETIMEDOUT", "EHOSTUNREACH"])).toBe("connect ETIMEDOUT x:6443; connect EHOSTUNREACH x:6443");
});

test("a port is not reached where nothing answers, or the name leads nowhere", async () => {
  expect(await portTrouble("cp.podnet.invalid", 6443, 5)).toMatch(
    /^getaddrinfo (ENOTFOUND|EAI_AGAIN) cp\.podnet\.invalid$/,
  );
  // Packets that a firewall drops.
  vi.spyOn(Socket.prototype, "connect").mockReturnThis();
  expect(await portTrouble("192.0.2.1", 6443, 0.2)).toBe("no answer within 0.2 s");
});
