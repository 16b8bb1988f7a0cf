import { Socket } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import type { Dialled } from "../../../components/machine/dialled";
import { Shell } from "../../../components/machine/shell";
import { startSshServer, type TestServer } from "../../packages/pulumi-command/sshd";

let server: TestServer;
let dialled: Dialled;
beforeAll(async () => {
  server = await startSshServer();
  const { port, privateKey, hostKey } = server;
  dialled = { host: "127.0.0.1", port, user: "root", privateKey, hostKey };
});
afterAll(() => server.stop());
afterEach(() => vi.restoreAllMocks());

test("runs words with input, and tells output and exit code apart", async () => {
  const shell = await Shell.open("w1", dialled);
  try {
    expect(await shell.run("sh -c 'cat; echo no >&2; exit 3'", "given", 10)).toEqual({
      code: 3,
      stdout: "given",
      stderr: "no\n",
    });
  } finally {
    shell.close();
  }
});

test("sends what is small at once, and does not wait for the other side's delayed acknowledgement", async () => {
  const noDelay = vi.spyOn(Socket.prototype, "setNoDelay");
  const shell = await Shell.open("w1", dialled);
  shell.close();
  // The server's end of the connection is a socket of this process too: only the client's is asked for it.
  expect(noDelay.mock.calls.filter(([on]) => on === true)).toHaveLength(1);
});

test("refuses another host key than the pinned one, naming the machine", async () => {
  await expect(Shell.open("w1", { ...dialled, hostKey: server.otherHostKey })).rejects.toThrow(
    `w1 (127.0.0.1:${String(server.port)}): `,
  );
});

test("does not try again where the user is refused", async () => {
  server.refuse(1);
  const before = server.total();
  await expect(Shell.open("w1", dialled)).rejects.toThrow("All configured authentication methods failed");
  expect(server.total() - before).toBe(1);
});

test("gives up on words that do not end in time, with the machine and the words", async () => {
  const shell = await Shell.open("w1", dialled);
  try {
    await expect(shell.run("sleep 5", "", 0.2)).rejects.toThrow("w1: no end of `sleep 5` within 0.2 s");
  } finally {
    shell.close();
  }
});
