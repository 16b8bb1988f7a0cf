import { createHash } from "node:crypto";
import { type AddressInfo, createServer, Socket } from "node:net";
import { Server, utils } from "ssh2";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import type { Dialled } from "../../../components/machine/dialled";
import { Shell } from "../../../components/machine/shell";
import { keyPair, startSshServer, type TestServer } from "../../packages/pulumi-command/sshd";

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
  const fingerprint = (key: string): string => {
    const raw = Buffer.from(key.split(" ")[1] ?? "", "base64");
    return `SHA256:${createHash("sha256").update(raw).digest("base64").replace(/=$/, "")}`;
  };
  await expect(Shell.open("w1", { ...dialled, hostKey: server.otherHostKey })).rejects.toThrow(
    `w1 (127.0.0.1:${String(server.port)}): Host denied (verification failed): its host key is ${fingerprint(server.hostKey)}, and hostKey is ${fingerprint(server.otherHostKey)}; where the machine was installed anew, give its new key as hostKey (ssh-keyscan -p ${String(server.port)} 127.0.0.1); else it is another machine, or one in between`,
  );
});

test("says what to do where the host's name is unknown, or it has no host key of the pinned type", async () => {
  const nowhere = "w1.podnet.invalid";
  await expect(Shell.open("w1", { ...dialled, host: nowhere })).rejects.toThrow(
    `; see that the name ${nowhere} is right and is known on the machine that runs podnet`,
  );
  const pinned = utils.generateKeyPairSync("ecdsa", { bits: 256 }).public;
  await expect(Shell.open("w1", { ...dialled, hostKey: pinned })).rejects.toThrow(
    "; it has no host key of the pinned type ecdsa-sha2-nistp256; pin one that it has (ssh-keyscan, /etc/ssh/ssh_host_*_key.pub)",
  );
});

test("does not try again where the user is refused", async () => {
  server.refuse(1);
  const before = server.total();
  await expect(Shell.open("w1", dialled)).rejects.toThrow(
    "All configured authentication methods failed; see that root is its SSH user, and has the public part of privateKey in ~/.ssh/authorized_keys there",
  );
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

/** A port of this machine on which nothing listens. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

test("waits for a machine that boots: refused, then cut off, then held back by pam_nologin, then there", async () => {
  const port = await freePort();
  const host = keyPair();
  let logins = 0;
  const booted = new Server(
    { hostKeys: [host.private], banner: "System is booting up. See pam_nologin(8)\n" },
    (to) => {
      to.on("error", () => undefined);
      to.on("authentication", (attempt) => {
        if (attempt.method !== "none" && ++logins > 1) {
          attempt.accept();
        } else {
          attempt.reject(["publickey"]);
        }
      });
    },
  );
  const early = createServer((socket) => void socket.destroy());
  const said: string[] = [];
  const opening = Shell.open("w1", { ...dialled, port, hostKey: host.public }, 30, (line) => said.push(line));
  await new Promise((done) => setTimeout(done, 2500));
  await new Promise<void>((done) => void early.listen(port, "127.0.0.1", done));
  await new Promise((done) => setTimeout(done, 800));
  await new Promise((done) => early.close(done));
  await new Promise<void>((done) => void booted.listen(port, "127.0.0.1", done));
  (await opening).close();
  booted.close();
  const at = `w1 (127.0.0.1:${String(port)})`;
  expect(said[0]).toMatch(
    /^no SSH connection to w1: w1 \(127\.0\.0\.1:\d+\): connect ECONNREFUSED .* \([23] s of 30 s\)$/,
  );
  expect(said.at(-1)).toMatch(
    /: All configured authentication methods failed: System is booting up\. See pam_nologin\(8\) \(\d s of 30 s\)$/,
  );
  expect(said.every((line) => line.includes(at))).toBe(true);
});

test("gives a frozen machine up after its seconds, naming it", async () => {
  const frozen = createServer();
  await new Promise<void>((done) => void frozen.listen(0, "127.0.0.1", done));
  const { port } = frozen.address() as AddressInfo;
  await expect(Shell.open("w1", { ...dialled, port }, 1)).rejects.toThrow(
    /^no SSH connection to w1 after 1\.\d s: w1 \(127\.0\.0\.1:\d+\): Timed out while waiting for handshake$/,
  );
  frozen.close();
});
