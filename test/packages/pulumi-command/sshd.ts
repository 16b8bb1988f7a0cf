import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { connect, type AddressInfo } from "node:net";
import { Server, utils, type Connection, type ServerChannel, type SFTPWrapper } from "ssh2";

const { STATUS_CODE } = utils.sftp;

/** An SSH server of this process that runs commands with sh and serves files by SFTP, all on this machine. */
export interface TestServer {
  readonly port: number;
  readonly hostKey: string;
  readonly otherHostKey: string;
  readonly privateKey: string;
  readonly password: string;
  /** Connections that are open now, and all there ever were. */
  open(): number;
  total(): number;
  /** Names of the variables that it accepts; set it to accept others. */
  accepts: RegExp;
  /** The login shell; /bin/sh at first. */
  shell: string;
  /** Refuses the next logins, whatever they show. */
  refuse(count: number): void;
  stop(): void;
}

/** A key pair of ed25519. ssh2 makes one in some hundred that it cannot read itself: those whose bytes begin with a zero. */
export function keyPair(): { readonly public: string; readonly private: string } {
  for (;;) {
    const pair = utils.generateKeyPairSync("ed25519");
    if (![pair.public, pair.private].some((key) => utils.parseKey(key) instanceof Error)) {
      return pair;
    }
  }
}

/** Starts the server on a free loopback port. Variables are accepted at first when their names begin with `GOOD_` or `PULUMI_COMMAND_`. */
export async function startSshServer(): Promise<TestServer> {
  const host = keyPair();
  const other = keyPair();
  const user = keyPair();
  const userKey = utils.parseKey(user.public);
  if (userKey instanceof Error) {
    throw userKey;
  }
  const password = "pass-w0rd";
  const connections = new Set<Connection>();
  let [total, refusals] = [0, 0];
  const server = new Server({ hostKeys: [host.private] }, (connection) => {
    connections.add(connection);
    total++;
    connection.on("error", () => undefined);
    connection.on("close", () => connections.delete(connection));
    connection.on("authentication", (attempt) => {
      const right =
        (attempt.method === "publickey" && attempt.key.data.equals(userKey.getPublicSSH())) ||
        (attempt.method === "password" && attempt.password === password);
      if (right && refusals === 0) {
        attempt.accept();
        return;
      }
      if (attempt.method !== "none" && refusals > 0) {
        refusals--;
      }
      attempt.reject(["publickey", "password"]);
    });
    connection.on("tcpip", (accept, reject, info) => {
      const socket = connect(info.destPort, info.destIP);
      socket.once("error", () => reject());
      socket.once("connect", () => {
        const channel = accept();
        socket.on("error", () => undefined);
        channel.on("error", () => undefined);
        socket.pipe(channel).pipe(socket);
        socket.on("close", () => channel.end());
      });
    });
    connection.on("session", (acceptSession) => {
      const session = acceptSession();
      const env: NodeJS.ProcessEnv = {};
      session.on("env", (accept, reject, info) => {
        const { key, val } = info;
        if (started.accepts.test(key)) {
          env[key] = val;
          (accept as (() => void) | undefined)?.();
        } else {
          (reject as (() => void) | undefined)?.();
        }
      });
      session.on("exec", (accept, _reject, { command }) =>
        command === "drop" ? dropDuring(connection, accept()) : execute(started.shell, command, env, accept()),
      );
      session.on("sftp", (accept) => serveFiles(accept()));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const started: TestServer = {
    accepts: /^(GOOD_|PULUMI_COMMAND_)/,
    shell: "/bin/sh",
    port: (server.address() as AddressInfo).port,
    hostKey: host.public,
    otherHostKey: other.public,
    privateKey: user.private,
    password,
    open: () => connections.size,
    total: () => total,
    refuse: (count) => (refusals = count),
    stop: () => {
      connections.forEach((connection) => connection.end());
      server.close();
    },
  };
  return started;
}

function dropDuring(connection: Connection, channel: ServerChannel): void {
  channel.write("before the drop\n");
  setTimeout(() => (connection as unknown as { _sock: { destroy(): void } })._sock.destroy(), 50);
}

function execute(shell: string, command: string, env: NodeJS.ProcessEnv, channel: ServerChannel): void {
  const child = spawn(shell, ["-c", command], { env: { PATH: process.env["PATH"], ...env } });
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  channel.pipe(child.stdin.on("error", () => undefined));
  child.on("close", (code, signal) => {
    if (signal) {
      channel.exit(signal.replace(/^SIG/, ""), false, "");
    } else {
      channel.exit(code ?? 255);
    }
    channel.end();
  });
}

function serveFiles(sftp: SFTPWrapper): void {
  const handles = new Map<number, number>();
  let next = 0;
  const answer = (request: number, action: () => void): void => {
    try {
      action();
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      sftp.status(request, code === "ENOENT" ? STATUS_CODE.NO_SUCH_FILE : STATUS_CODE.FAILURE);
    }
  };
  const fdOf = (handle: Buffer): number => handles.get(handle.readUInt32BE(0)) ?? -1;
  sftp.on("STAT", (request, path) => answer(request, () => sftp.attrs(request, attributes(fs.statSync(path)))));
  sftp.on("MKDIR", (request, path) =>
    answer(request, () => {
      fs.mkdirSync(path);
      sftp.status(request, STATUS_CODE.OK);
    }),
  );
  sftp.on("OPEN", (request, path, _flags, attrs) =>
    answer(request, () => {
      const handle = Buffer.alloc(4);
      handle.writeUInt32BE(next);
      handles.set(next++, fs.openSync(path, "w", (attrs as { mode?: number }).mode));
      sftp.handle(request, handle);
    }),
  );
  sftp.on("WRITE", (request, handle, offset, data) =>
    answer(request, () => {
      fs.writeSync(fdOf(handle), data, 0, data.length, offset);
      sftp.status(request, STATUS_CODE.OK);
    }),
  );
  sftp.on("CLOSE", (request, handle) =>
    answer(request, () => {
      fs.closeSync(fdOf(handle));
      sftp.status(request, STATUS_CODE.OK);
    }),
  );
}

function attributes(stats: fs.Stats): {
  mode: number;
  uid: number;
  gid: number;
  size: number;
  atime: number;
  mtime: number;
} {
  const { mode, uid, gid, size } = stats;
  return { mode, uid, gid, size, atime: 0, mtime: 0 };
}
