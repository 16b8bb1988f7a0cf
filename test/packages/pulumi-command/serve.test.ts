import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { EngineService } from "@pulumi/pulumi/proto/engine_grpc_pb";
import type { LogRequest } from "@pulumi/pulumi/proto/engine_pb";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as proto from "@pulumi/pulumi/proto/provider_pb";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { EngineLog } from "../../../packages/pulumi-command/src/engine";
import { serve, type Serving } from "../../../packages/pulumi-command/src/server";
import {
  plain,
  signatureKey,
  unknownValue,
  type Value,
  type ValueMap,
} from "../../../packages/pulumi-command/src/value";
import { startSshServer, type TestServer } from "./sshd";

// Megabytes pass through two servers here, which takes long on a machine that is busy with something else.
vi.setConfig({ testTimeout: 180_000 });

interface Logged {
  readonly urn: string;
  readonly severity: number;
  readonly message: string;
  readonly status: boolean;
  readonly at: number;
}

const folder = mkdtempSync(join(tmpdir(), "command-provider-"));
const logs: Logged[] = [];
let ssh: TestServer;
let engine: grpc.Server;
let serving: Serving;
let client: ResourceProviderClient;

const struct = (map: object): Struct => Struct.fromJavaScript(map as never);
const mapOf = (value: Struct | undefined): ValueMap => value?.toJavaScript() ?? {};
const urnOf = (type: string, name = "x"): string => `urn:pulumi:s::p::command:${type}::${name}`;
const asset = (fields: object): object => ({ [signatureKey]: "c44067f5952c0a294b673a41bacd8c17", ...fields });
const secret = (value: unknown): object => ({ [signatureKey]: "1b47061264138c4ac30d75fd1eb44270", value });

function send<Request, Response>(
  method: (request: Request, callback: (error: grpc.ServiceError | null, response: Response) => void) => unknown,
  request: Request,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    method.call(client, request, (error, response) => (error ? reject(new Error(error.details)) : resolve(response)));
  });
}

async function check(type: string, inputs: object): Promise<ValueMap> {
  const request = new proto.CheckRequest();
  request.setUrn(urnOf(type));
  request.setNews(struct(inputs));
  const response = await send(client.check.bind(client) as never, request);
  return mapOf((response as proto.CheckResponse).getInputs());
}

interface Options {
  readonly preview?: boolean;
  readonly timeout?: number;
  readonly name?: string;
}

async function create(type: string, inputs: object, options: Options = {}): Promise<{ id: string; state: ValueMap }> {
  const request = new proto.CreateRequest();
  request.setUrn(urnOf(type, options.name));
  request.setProperties(struct(await check(type, inputs)));
  request.setPreview(options.preview ?? false);
  request.setTimeout(options.timeout ?? 0);
  const response = await send<proto.CreateRequest, proto.CreateResponse>(client.create.bind(client), request);
  return { id: response.getId(), state: mapOf(response.getProperties()) };
}

async function update(type: string, state: ValueMap, inputs: object, preview = false): Promise<ValueMap> {
  const request = new proto.UpdateRequest();
  request.setUrn(urnOf(type));
  request.setOlds(struct(state));
  request.setNews(struct(await check(type, inputs)));
  request.setPreview(preview);
  const response = await send<proto.UpdateRequest, proto.UpdateResponse>(client.update.bind(client), request);
  return mapOf(response.getProperties());
}

async function remove(type: string, state: ValueMap): Promise<void> {
  const request = new proto.DeleteRequest();
  request.setUrn(urnOf(type));
  request.setProperties(struct(state));
  await send(client.delete.bind(client) as never, request);
}

const connection = (extra: object = {}): object => ({
  host: "127.0.0.1",
  port: ssh.port,
  privateKey: ssh.privateKey,
  hostKey: ssh.hostKey,
  dialErrorLimit: 0,
  ...extra,
});
const remote = (extra: object): object => ({ connection: connection(), ...extra });

/** Waits until the server has seen the last connection go, and fails when one stays. */
async function expectClosed(): Promise<void> {
  await expect.poll(() => ssh.open(), { timeout: 3000 }).toBe(0);
}

async function start(): Promise<void> {
  serving = await serve(engineAddress);
  client = new ResourceProviderClient(`127.0.0.1:${serving.port}`, grpc.credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
  });
  await send(client.configure.bind(client) as never, new proto.ConfigureRequest());
}

let engineAddress = "";
beforeAll(async () => {
  delete process.env["SSH_AUTH_SOCK"];
  ssh = await startSshServer();
  engine = new grpc.Server();
  engine.addService(EngineService, {
    log: (call: grpc.ServerUnaryCall<LogRequest, Empty>, callback: grpc.sendUnaryData<Empty>) => {
      const { request } = call;
      logs.push({
        urn: request.getUrn(),
        severity: request.getSeverity(),
        message: request.getMessage(),
        status: request.getEphemeral(),
        at: Date.now(),
      });
      callback(null, new Empty());
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    engine.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  engineAddress = `127.0.0.1:${port}`;
  await start();
});
afterEach(() => void logs.splice(0));
afterAll(() => {
  client.close();
  serving.stop();
  engine.forceShutdown();
  ssh.stop();
  rmSync(folder, { recursive: true });
});

describe("local command", () => {
  const type = "local:Command";

  it("creates, updates, and deletes with the last output in the environment", async () => {
    const inputs = {
      create: "echo one; echo two; echo problem >&2",
      update: 'echo "was $PULUMI_COMMAND_STDOUT / $PULUMI_COMMAND_STDERR"; cat',
      delete: `echo "$PULUMI_COMMAND_STDOUT $A" > ${folder}/deleted`,
      environment: { A: "a" },
      stdin: secret("in"),
    };
    const { id, state } = await create(type, inputs, { name: "n::m" });
    expect(id).toMatch(/^n::m[0-9a-f]{8}$/);
    expect(state).toEqual({ ...inputs, stdout: "one\ntwo", stderr: "problem" });
    const updated = await update(type, state, inputs);
    expect(updated).toEqual({ ...inputs, stdout: "was one\ntwo / problem\nin", stderr: "" });
    const silent = await update(type, state, { ...inputs, addPreviousOutputInEnv: false });
    expect(silent["stdout"]).toBe("was  / \nin");
    await remove(type, updated);
    expect(readFileSync(`${folder}/deleted`, "utf8")).toBe("was one\ntwo / problem\nin a\n");
  });

  it("runs create on update when there is no update, and nothing when there is neither", async () => {
    const { state } = await create(type, { create: "echo first" });
    expect((await update(type, state, { create: "echo second" }))["stdout"]).toBe("second");
    expect(await update(type, state, { delete: "true" })).toEqual({ delete: "true", stdout: "first", stderr: "" });
    expect((await create(type, {})).state).toEqual({ stdout: "", stderr: "" });
  });

  it("uses interpreter and dir, and names what it cannot start", async () => {
    const inputs = { create: "process.stdout.write(process.cwd())", interpreter: ["node", "-e"], dir: folder };
    expect((await create(type, inputs)).state["stdout"]).toBe(folder);
    await expect(create(type, { create: 'echo "out"; echo err >&2; exit 4' })).rejects.toThrow(
      /^exit status 4: running "echo \\"out\\"; echo err >&2; exit 4":\n(out\nerr|err\nout)\n$/,
    );
    await expect(create(type, { create: "kill -9 $$" })).rejects.toThrow('signal: killed: running "kill -9 $$":\n');
    await expect(create(type, { create: "x", dir: "/no/such" })).rejects.toThrow(
      'chdir /no/such: no such file or directory: running "x":\n',
    );
    await expect(create(type, { create: "x", dir: "/etc/passwd" })).rejects.toThrow(
      new Error('fork/exec /bin/sh: not a directory: running "x":\n'),
    );
    await expect(create(type, { create: "x", dir: "/etc/passwd/x" })).rejects.toThrow(
      new Error('chdir /etc/passwd/x: not a directory: running "x":\n'),
    );
    await expect(create(type, { create: "x", interpreter: [""] })).rejects.toThrow(
      new Error('exec: no command: running "x":\n'),
    );
    await expect(create(type, { create: "x", interpreter: ["no-such-program"] })).rejects.toThrow(
      'exec: "no-such-program": executable file not found in $PATH: running "x":\n',
    );
    await expect(create(type, { create: "x", interpreter: ["/no/such"] })).rejects.toThrow(
      'fork/exec /no/such: no such file or directory: running "x":\n',
    );
  });

  it("runs in its own folder when dir is empty, and finds no assets there", async () => {
    expect((await create(type, { create: "pwd", dir: "" })).state).toEqual({
      create: "pwd",
      dir: "",
      stdout: process.cwd(),
      stderr: "",
    });
    await expect(create(type, { create: "true", dir: "", assetPaths: ["*"] })).rejects.toThrow(
      new Error("stat .: os: DirFS with empty root"),
    );
  });

  it("names what holds a NUL", async () => {
    const { state } = await create(type, { create: "printf 'a\\000b'" });
    expect(state["stdout"]).toBe("a\0b");
    await expect(update(type, state, { create: "echo x" })).rejects.toThrow(
      new Error('exec: environment variable contains NUL: running "echo x":\n'),
    );
    const silent = { create: "echo x", addPreviousOutputInEnv: false };
    expect((await update(type, state, silent))["stdout"]).toBe("x");
    for (const [inputs, error] of [
      [{ environment: { A: "\0" } }, "exec: environment variable contains NUL"],
      [{ environment: { "A\0": "" } }, "exec: environment variable contains NUL"],
      [{ dir: "/tmp\0" }, "chdir /tmp\0: invalid argument"],
      [{ interpreter: ["/bin/sh\0", "-c"] }, "fork/exec /bin/sh\0: invalid argument"],
      [{ interpreter: ["/bin/sh", "\0"], dir: "/etc/passwd" }, "fork/exec /bin/sh: invalid argument"],
    ] as const) {
      await expect(create(type, { create: "x", ...inputs })).rejects.toThrow(new Error(`${error}: running "x":\n`));
    }
  });

  it("finds assets and an archive by their globs", async () => {
    const dir = join(folder, "found");
    mkdirSync(join(dir, "sub"), { recursive: true });
    const create_ = "printf x > a.js; printf y > sub/b.js; printf z > sub/secret.js";
    const { state } = await create(type, {
      create: create_,
      dir,
      assetPaths: ["**.js", "!**secret*"],
      archivePaths: ["*.js"],
    });
    const a = asset({ path: `${dir}/a.js`, hash: "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" });
    const b = asset({
      path: `${dir}/sub/b.js`,
      hash: "a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa",
    });
    expect(state["assets"]).toEqual({ "a.js": a, "sub/b.js": b });
    expect(state["archive"]).toEqual({ [signatureKey]: "0def7320c3a5731c473e5ecbe6d01bc7", assets: { "a.js": a } });
  });

  it("names an asset that is a folder or cannot be opened, even where a later glob excludes it", async () => {
    const dir = join(folder, "linked-assets");
    mkdirSync(dir);
    symlinkSync(folder, join(dir, "link"));
    const found = (...assetPaths: string[]): Promise<unknown> => create(type, { create: "true", dir, assetPaths });
    const refused = new Error(`asset path '${dir}/link' is a directory; try using an archive`);
    await expect(found("*")).rejects.toThrow(refused);
    await expect(found("*", "!link")).rejects.toThrow(refused);
    expect((await create(type, { create: "true", dir, assetPaths: ["other", "!link"] })).state["assets"]).toEqual({});
    symlinkSync("nowhere", join(dir, "broken"));
    await expect(found("broken")).rejects.toThrow(
      new Error(`failed to open asset file '${dir}/broken': open ${dir}/broken: no such file or directory`),
    );
    await expect(create(type, { create: `rm -r ${dir}`, dir, archivePaths: ["*"] })).rejects.toThrow(
      new Error("stat .: no such file or directory"),
    );
  });

  it("kills at the custom timeout", async () => {
    const began = Date.now();
    await expect(create(type, { create: "exec sleep 30" }, { timeout: 1 })).rejects.toThrow("signal: killed");
    expect(Date.now() - began).toBeLessThan(5000);
  });

  it.each([
    [undefined, ["err", "out"]],
    ["stdoutAndStderr", ["err", "out"]],
    ["stdout", ["out"]],
    ["stderr", ["err"]],
    ["none", []],
  ])("logs with logging %s what it says, as status of the resource", async (logging, expected) => {
    const { state } = await create(type, { create: "echo out; echo err >&2", ...(logging ? { logging } : {}) });
    expect(state).toMatchObject({ stdout: "out", stderr: "err" });
    expect(logs.map(({ message }) => message).sort()).toEqual(expected);
    expect(logs.every(({ urn, severity, status }) => urn === urnOf(type) && severity === 1 && status)).toBe(true);
  });

  it("runs the function", async () => {
    const request = new proto.InvokeRequest();
    request.setTok("command:local:run");
    request.setArgs(struct({ command: "echo $A", environment: { A: "1" } }));
    const call = (): Promise<proto.InvokeResponse> => send(client.invoke.bind(client) as never, request);
    expect(mapOf((await call()).getReturn())).toEqual({
      command: "echo $A",
      environment: { A: "1" },
      stdout: "1",
      stderr: "",
    });
    request.setArgs(struct({}));
    expect((await call()).getFailuresList()[0]?.getReason()).toBe(
      "Missing required field 'command' on 'local.RunInputs'",
    );
  });
});

describe("preview", () => {
  it("runs nothing and leaves the outputs unknown where an input changed", async () => {
    const inputs = { create: `touch ${folder}/ran`, connection: connection() };
    const { state } = await create("remote:Command", inputs, { preview: true });
    expect(state).toEqual({ ...(await check("remote:Command", inputs)), stdout: unknownValue, stderr: unknownValue });
    const done = { ...(await check("remote:Command", inputs)), stdout: "o", stderr: "e" };
    expect(await update("remote:Command", done, inputs, true)).toEqual(done);
    expect(await update("remote:Command", done, { ...inputs, create: "other" }, true)).toEqual({
      ...done,
      create: "other",
      stdout: unknownValue,
      stderr: unknownValue,
    });
    expect(existsSync(`${folder}/ran`)).toBe(false);
    expect(ssh.open()).toBe(0);
  });

  it("leaves an input that holds an asset unknown, as the official one does, unless nothing changed", async () => {
    const source = asset({ text: "t", hash: "1" });
    const inputs = { connection: connection(), source, remotePath: "/x", triggers: [1, [{ a: source }]] };
    const checked = await check("remote:CopyToRemote", inputs);
    const unknown = { ...checked, source: unknownValue, triggers: unknownValue };
    expect((await create("remote:CopyToRemote", inputs, { preview: true })).state).toEqual(unknown);
    expect(await update("remote:CopyToRemote", checked, inputs, true)).toEqual(checked);
    expect(await update("remote:CopyToRemote", checked, { ...inputs, remotePath: "/y" }, true)).toEqual({
      ...unknown,
      remotePath: "/y",
    });
    expect(
      await update("remote:CopyToRemote", checked, { ...inputs, source: asset({ hash: "2", text: "u" }) }, true),
    ).toEqual(unknown);
    const hidden = { create: "true", triggers: [secret(source)] };
    const secretUnknown = { [signatureKey]: "d0e6a833031e9bbcd3f4e8bde6ca49a4", secret: true };
    expect((await create("local:Command", hidden, { preview: true })).state["triggers"]).toEqual(secretUnknown);
    const { state } = await create("local:Command", hidden);
    expect(state["triggers"]).toEqual(secret([secret(source)]));
    expect((await update("local:Command", state, { ...hidden, create: "false" }, true))["triggers"]).toEqual(
      secretUnknown,
    );
    expect((await update("local:Command", state, { ...hidden, create: "echo" }))["triggers"]).toEqual(
      secret([secret(source)]),
    );
    expect(ssh.open()).toBe(0);
  });
});

describe("remote command", () => {
  const type = "remote:Command";

  it("creates, updates and deletes over SSH, and closes every connection", async () => {
    const inputs = remote({
      create: 'echo "$GOOD_A"; cat; echo problem >&2',
      update: 'echo "was $PULUMI_COMMAND_STDOUT / $PULUMI_COMMAND_STDERR"',
      delete: `echo "$PULUMI_COMMAND_STDOUT" > ${folder}/remote-deleted`,
      environment: { GOOD_A: "a b" },
      stdin: secret("in\n"),
    });
    const { state } = await create(type, inputs);
    expect(state).toEqual({ ...(await check(type, inputs)), stdout: "a b\nin", stderr: "problem" });
    expect(state["connection"]).toMatchObject({ [signatureKey]: "1b47061264138c4ac30d75fd1eb44270" });
    const updated = await update(type, state, inputs);
    expect(updated).toMatchObject({ stdout: "was a b\nin / problem", stderr: "" });
    await remove(type, updated);
    expect(readFileSync(`${folder}/remote-deleted`, "utf8")).toBe("was a b\nin / problem\n");
    await expectClosed();
  });

  it("fails with the exit, the command and its output", async () => {
    await expect(create(type, remote({ create: "echo out; exit 3" }))).rejects.toThrow(
      'Process exited with status 3: running "echo out; exit 3":\nout\n',
    );
    await expect(create(type, remote({ create: "kill -TERM $$" }))).rejects.toThrow(
      'Process exited with status 143 from signal TERM: running "kill -TERM $$":\n',
    );
    await expectClosed();
  });

  it("fails when the server refuses a variable, but only warns when it refuses the previous output", async () => {
    const advice = `Unable to set 'BAD'. This only works if your SSH server is configured to accept
	these variables via AcceptEnv. Alternatively, if a Bash-like shell runs the command on the remote host, you could
	prefix the command itself with the variables in the form 'VAR=value command'`;
    await expect(create(type, remote({ create: "true", environment: { GOOD_A: "1", BAD: "2" } }))).rejects.toThrow(
      'could not set environment variable "BAD": ssh: setenv failed',
    );
    expect(logs).toMatchObject([{ severity: 3, message: advice, status: false }]);
    logs.splice(0);
    ssh.accepts = /^PULUMI_COMMAND_STDOUT$/;
    const inputs = remote({ update: 'echo "$PULUMI_COMMAND_STDOUT/$PULUMI_COMMAND_STDERR"' });
    const done = await update(type, { ...(await check(type, inputs)), stdout: "o", stderr: "e" }, inputs);
    ssh.accepts = /^(GOOD_|PULUMI_COMMAND_)/;
    expect(done["stdout"]).toBe("o/");
    expect(logs).toMatchObject([
      { severity: 2, message: advice.replace("BAD", "PULUMI_COMMAND_STDERR"), status: false },
      { message: "o/" },
    ]);
    await expectClosed();
  });

  it("passes a line of 200 000 bytes, 5 MB of output, and input that nobody reads", async () => {
    const long = await create(type, remote({ create: "head -c 200000 /dev/zero | tr '\\0' x" }));
    expect(long.state["stdout"]).toBe("x".repeat(200_000));
    expect(logs.map(({ message }) => message.length)).toEqual([65536, 65536, 65536, 3392]);
    logs.splice(0);
    const many = await create(type, remote({ create: "yes 0123456789 | head -n 5000" }));
    expect(many.state["stdout"]).toBe("0123456789\n".repeat(5000).trimEnd());
    expect(logs.length).toBe(5000);
    const much = await create(type, remote({ create: "head -c 5000000 /dev/zero | tr '\\0' x", logging: "none" }));
    expect((much.state["stdout"] as string).length).toBe(5_000_000);
    const unread = await create(type, remote({ create: "true", stdin: "y".repeat(5_000_000) }));
    expect(unread.state["stdout"]).toBe("");
    await expectClosed();
  });

  it("logs while the command runs", async () => {
    await create(type, remote({ create: "echo early; sleep 0.8; echo late" }));
    const [early, late] = logs;
    expect([early?.message, late?.message]).toEqual(["early", "late"]);
    expect((late?.at ?? 0) - (early?.at ?? 0)).toBeGreaterThan(500);
  });

  it("runs 20 at once", async () => {
    const all = Array.from({ length: 20 }, (_, i) => create(type, remote({ create: `sleep 0.2; echo ${i}` })));
    const outputs = (await Promise.all(all)).map(({ state }) => state["stdout"]);
    expect(outputs).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
    await expectClosed();
  });

  it("names the host when the connection is lost", async () => {
    await expect(create(type, remote({ create: "drop" }))).rejects.toThrow(
      new RegExp(
        `^wait: remote command exited without exit status or exit signal \\(connection to 127.0.0.1:${ssh.port} lost: .+\\): ` +
          'running "drop":\nbefore the drop\n$',
      ),
    );
  });

  it("logs in by password, refuses a wrong one, and accepts any host key when none is given", async () => {
    const login = { privateKey: null, hostKey: null, user: "someone" };
    const done = await create(type, {
      connection: connection({ ...login, password: ssh.password }),
      create: "echo in",
    });
    expect(done.state["stdout"]).toBe("in");
    await expect(create(type, { connection: connection({ ...login, password: "no" }), create: "x" })).rejects.toThrow(
      "after 0 failed attempts: ssh: handshake failed: ssh: unable to authenticate, attempted methods [none password], " +
        "no supported methods remain",
    );
    await expectClosed();
  });

  it("refuses another host key, one it cannot read, and a key it cannot read", async () => {
    const attempt = (extra: object): Promise<unknown> => create(type, { connection: connection(extra), create: "x" });
    await expect(attempt({ hostKey: ssh.otherHostKey })).rejects.toThrow(
      "ssh: handshake failed: ssh: host key mismatch",
    );
    const before = ssh.total();
    await expect(attempt({ hostKey: "no key" })).rejects.toThrow("failed to parse host key: ssh: no key found");
    await expect(attempt({ privateKey: "no key" })).rejects.toThrow(/^ssh: no key found$/);
    await expect(attempt({ agentSocketPath: `${folder}/none` })).rejects.toThrow(
      `dial unix ${folder}/none: connect: no such file or directory`,
    );
    expect(ssh.total()).toBe(before);
  });

  it("says EOF of a peer that closes in the handshake", async () => {
    for (const greeting of ["", "HTTP/1.0 400 Bad\r\n\r\n"]) {
      const peer = createServer((socket) =>
        socket
          .on("error", () => undefined)
          .resume()
          .end(greeting),
      ).listen(0, "127.0.0.1");
      await new Promise((resolve) => peer.once("listening", resolve));
      const { port } = peer.address() as AddressInfo;
      await expect(create(type, { connection: connection({ port }), create: "x" })).rejects.toThrow(
        new Error("after 0 failed attempts: ssh: handshake failed: EOF"),
      );
      await new Promise((resolve) => peer.close(resolve));
    }
  });

  it("does not dial with less than no time for it", async () => {
    const attempt = (extra: object): Promise<unknown> =>
      create(type, { connection: connection({ perDialTimeout: -1, ...extra }), create: "echo in" });
    const before = ssh.total();
    await expect(attempt({ dialErrorLimit: 1 })).rejects.toThrow(
      new Error(`after 1 failed attempts: dial tcp 127.0.0.1:${ssh.port}: i/o timeout`),
    );
    await expect(attempt({ host: "::1", port: 5 })).rejects.toThrow(
      new Error("after 0 failed attempts: dial tcp [::1]:5: i/o timeout"),
    );
    await expect(attempt({ host: "localhost" })).rejects.toThrow(
      new Error("after 0 failed attempts: dial tcp: lookup localhost: i/o timeout"),
    );
    expect(ssh.total()).toBe(before);
    expect(await attempt({ proxy: connection() })).toMatchObject({ state: { stdout: "in" } });
    await expectClosed();
  });

  it("tries again with growing waits, as often as allowed", async () => {
    ssh.refuse(3);
    const inputs = { connection: connection({ dialErrorLimit: 3 }), create: "echo in" };
    expect((await create(type, inputs)).state["stdout"]).toBe("in");
    expect(logs.map(({ message }) => message)).toEqual([
      "Dial 1/3 failed: retrying",
      "Dial 2/3 failed: retrying",
      "Dial 3/3 failed: retrying",
      "in",
    ]);
    const free = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => free.once("listening", resolve));
    const { port } = free.address() as AddressInfo;
    await new Promise((resolve) => free.close(resolve));
    const began = Date.now();
    await expect(create(type, { connection: connection({ port, dialErrorLimit: 4 }), create: "x" })).rejects.toThrow(
      `after 4 failed attempts: dial tcp 127.0.0.1:${port}: connect: connection refused`,
    );
    // Waits of 100, 150, 225 and 337 ms.
    expect(Date.now() - began).toBeGreaterThan(800);
    expect(Date.now() - began).toBeLessThan(3000);
  });

  it("goes through a proxy and names it in its errors", async () => {
    const before = ssh.total();
    const inputs = { connection: { ...connection(), proxy: connection() }, create: "echo through" };
    expect((await create(type, inputs)).state["stdout"]).toBe("through");
    expect(ssh.total() - before).toBe(2);
    await expect(
      create(type, { connection: { ...connection(), proxy: connection({ hostKey: ssh.otherHostKey }) }, create: "x" }),
    ).rejects.toThrow("proxy: after 0 failed attempts: ssh: handshake failed: ssh: host key mismatch");
    await expect(
      create(type, { connection: { ...connection(), port: 1, proxy: connection() }, create: "x" }),
    ).rejects.toThrow(/^proxy: after 0 failed attempts: ssh: rejected: connect failed/);
    await expectClosed();
  });

  it("never logs a secret of its inputs", async () => {
    const inputs = remote({ create: secret("true # in the command"), stdin: secret("the input") });
    await create(type, inputs);
    ssh.refuse(1);
    await create(type, { ...inputs, connection: connection({ dialErrorLimit: 1, password: "the password" }) });
    const text = JSON.stringify(logs);
    for (const hidden of ["in the command", "the input", "the password", "PRIVATE KEY"]) {
      expect(text).not.toContain(hidden);
    }
    expect(text).toContain("Dial 1/1 failed");
  });
});

describe("copy to remote", () => {
  const type = "remote:CopyToRemote";
  const copy = (source: object, remotePath: string): object => ({ connection: connection(), source, remotePath });
  const file = join(folder, "file.txt");
  const source = join(folder, "tree");
  beforeAll(() => {
    writeFileSync(file, "content");
    mkdirSync(join(source, "sub"), { recursive: true });
    writeFileSync(join(source, "big"), "b".repeat(3_000_000));
    writeFileSync(join(source, "sub/empty"), "");
  });
  const read = (path: string): string => readFileSync(join(folder, path), "utf8");
  const archive = (path: string): object => ({ [signatureKey]: "0def7320c3a5731c473e5ecbe6d01bc7", path, hash: path });

  it("puts a file at the very path, making its folders, or into a folder that exists", async () => {
    const { id, state } = await create(type, copy(asset({ path: file, hash: "1" }), `${folder}/made/here/f`));
    expect(id).toMatch(/^[0-9a-f]{8}$/);
    expect(plain(state["source"] as Value)).toEqual(asset({ path: file, hash: "1" }));
    expect(read("made/here/f")).toBe("content");
    await create(type, copy(asset({ path: file, hash: "1" }), `${folder}/made`));
    expect(read("made/file.txt")).toBe("content");
    await expectClosed();
  });

  it("puts a folder into the remote one, and with a trailing slash its contents", async () => {
    await create(type, copy(archive(source), `${folder}/into/new`));
    expect(read("into/new/tree/big").length).toBe(3_000_000);
    expect(read("into/new/tree/sub/empty")).toBe("");
    await create(type, copy(archive(`${source}/`), `${folder}/contents`));
    expect(read("contents/big").length).toBe(3_000_000);
    await expect(create(type, copy(archive(source), file))).rejects.toThrow(/file\.txt/);
  });

  it("puts a folder beside what is in the remote one already, and over files of the same name", async () => {
    const target = join(folder, "existing");
    mkdirSync(join(target, "tree/sub"), { recursive: true });
    writeFileSync(join(target, "tree/kept"), "kept");
    writeFileSync(join(target, "tree/sub/empty"), "not empty");
    await create(type, copy(archive(source), target));
    expect(readdirSync(join(target, "tree")).sort()).toEqual(["big", "kept", "sub"]);
    expect(read("existing/tree/sub/empty")).toBe("");
    await create(type, copy(archive(`${source}/`), join(target, "tree")));
    expect(readdirSync(join(target, "tree")).sort()).toEqual(["big", "kept", "sub"]);
  });

  it("keeps no mode and no link: files are the remote account's new ones, links are followed", async () => {
    const linked = join(folder, "linked");
    mkdirSync(linked);
    writeFileSync(join(linked, "program"), "#!/bin/sh\n", { mode: 0o755 });
    writeFileSync(join(linked, "private"), "p", { mode: 0o600 });
    symlinkSync("program", join(linked, "alias"));
    await create(type, copy(archive(`${linked}/`), `${folder}/unlinked`));
    const found = ["program", "private", "alias"].map((name) => {
      const { mode } = lstatSync(join(folder, "unlinked", name));
      return [name, (mode & 0o7777).toString(8), (mode & 0o170000) === 0o100000];
    });
    expect(found).toEqual([
      ["program", "644", true],
      ["private", "644", true],
      ["alias", "644", true],
    ]);
    expect(read("unlinked/alias")).toBe("#!/bin/sh\n");
    symlinkSync(source, join(linked, "folder"));
    await expect(create(type, copy(archive(linked), `${folder}/refused`))).rejects.toThrow(
      `failed to copy file ${linked}/folder to remote path ${folder}/refused/linked/folder: read ${linked}/folder: is a directory`,
    );
  });

  it("reads a relative path from its own working directory", async () => {
    await create(type, copy(archive(`${relative(process.cwd(), source)}/`), `${folder}/relative`));
    expect(read("relative/sub/empty")).toBe("");
    await create(type, copy(archive(relative(process.cwd(), source)), `${folder}/relative`));
    expect(read("relative/tree/sub/empty")).toBe("");
  });

  it("sees no change in an archive that lies elsewhere with the same hash, and copies nothing", async () => {
    const at = (path: string, hash = "1"): object => copy({ ...archive(path), hash }, `${folder}/moved`);
    const { state } = await create(type, at(`${source}/`));
    const diff = async (path: string, hash?: string): Promise<string[]> => {
      const request = new proto.DiffRequest();
      request.setUrn(urnOf(type));
      request.setOlds(struct(state));
      request.setOldInputs(struct(state));
      request.setNews(struct(await check(type, at(path, hash))));
      return (await send<proto.DiffRequest, proto.DiffResponse>(client.diff.bind(client), request)).getDiffsList();
    };
    expect(await diff("/no/such/")).toEqual([]);
    expect(await diff("no/such")).toEqual([]);
    expect(await diff(`${source}/`, "2")).toEqual(["source"]);
    const before = ssh.total();
    await update(type, state, { ...at("/no/such/"), triggers: [1] });
    expect(ssh.total()).toBe(before);
  });

  it("writes a text, but not over a folder", async () => {
    await create(type, copy(asset({ text: "tést", hash: "1" }), `${folder}/texts/t`));
    expect(read("texts/t")).toBe("tést");
    await expect(create(type, copy(asset({ text: "t", hash: "1" }), folder))).rejects.toThrow(
      `remote path ${folder} is a directory; when using a text asset, remotePath must be a file path`,
    );
  });

  it("copies again only when content or path changed", async () => {
    const { state } = await create(type, copy(asset({ text: "one", hash: "1" }), `${folder}/again`));
    const before = ssh.total();
    await update(type, state, { ...copy(asset({ text: "one", hash: "1" }), `${folder}/again`), triggers: [1] });
    expect(ssh.total()).toBe(before);
    await update(type, state, copy(asset({ text: "two", hash: "2" }), `${folder}/again`));
    expect(read("again")).toBe("two");
  });

  it("tells what it copies by its hash alone, and nothing without one from nothing else without one", async () => {
    const target = `${folder}/hashes`;
    const { state } = await create(type, copy(asset({ text: "one" }), target));
    const other = await update(type, state, copy(asset({ text: "two" }), target));
    expect([other["source"], read("hashes")]).toEqual([asset({ text: "two" }), "one"]);
    await update(type, other, copy({ ...archive(source), hash: "" }, target));
    expect(read("hashes")).toBe("one");
    const hashed = await update(type, other, copy(asset({ text: "three", hash: "3" }), target));
    expect(read("hashes")).toBe("three");
    await update(type, hashed, copy({ ...archive(source), hash: "3" }, target));
    expect(read("hashes")).toBe("three");
  });

  it("makes the folder that a path with a trailing slash names, and fails, so that the next copy finds it", async () => {
    const into = asset({ path: file, hash: "1" });
    const target = `${folder}/slashed/new/`;
    const refused = new RegExp(`^failed to create remote file ${target}: `);
    await expect(create(type, copy(into, target))).rejects.toThrow(refused);
    expect(readdirSync(target)).toEqual([]);
    await create(type, copy(into, target));
    expect(read("slashed/new/file.txt")).toBe("content");
    const text = asset({ text: "t", hash: "1" });
    await expect(create(type, copy(text, `${folder}/slashed/texts//`))).rejects.toThrow(
      /^failed to create remote file/,
    );
    expect(readdirSync(`${folder}/slashed`).sort()).toEqual(["new", "texts"]);
    await expect(create(type, copy(text, `${folder}/slashed/gone/../other/./t`))).rejects.toThrow(
      "file does not exist",
    );
    expect(readdirSync(`${folder}/slashed`).sort()).toEqual(["new", "other", "texts"]);
    await expectClosed();
  });

  it("names a local file that is missing", async () => {
    await expect(create(type, copy(asset({ path: "/no/such", hash: "1" }), "/x"))).rejects.toThrow(
      "open /no/such: no such file or directory",
    );
    await expectClosed();
  });

  it("copies with the deprecated CopyFile too", async () => {
    await create("remote:CopyFile", { connection: connection(), localPath: file, remotePath: `${folder}/copied` });
    expect(read("copied")).toBe("content");
  });

  it("says of a CopyFile that fails the reason alone", async () => {
    const from = (localPath: string, remotePath: string): Promise<unknown> =>
      create("remote:CopyFile", { connection: connection(), localPath, remotePath });
    await expect(from(file, `${folder}/no-such/f`)).rejects.toThrow(/^file does not exist$/);
    await expect(from(source, `${folder}/copied-folder`)).rejects.toThrow(new Error(`read ${source}: is a directory`));
    await expectClosed();
  });
});

describe("provider", () => {
  it("says its version, its abilities and a diff in detail", async () => {
    const info = await send(client.getPluginInfo.bind(client) as never, new Empty());
    expect((info as { getVersion(): string }).getVersion()).toBe("1.2.1");
    const configured = await send(client.configure.bind(client) as never, new proto.ConfigureRequest());
    expect((configured as proto.ConfigureResponse).toObject()).toMatchObject({
      acceptsecrets: true,
      supportspreview: true,
      acceptresources: true,
    });
    const request = new proto.DiffRequest();
    request.setUrn(urnOf("local:Command"));
    request.setOlds(struct({ create: "a", environment: { "a.b": "1" }, stdout: "" }));
    request.setNews(struct({ create: "b", environment: {}, triggers: [1] }));
    const diff = await send<proto.DiffRequest, proto.DiffResponse>(client.diff.bind(client), request);
    expect(diff.getChanges()).toBe(proto.DiffResponse.DiffChanges.DIFF_SOME);
    expect(diff.getDiffsList().sort()).toEqual(["create", "environment", "triggers"]);
    expect(diff.getReplacesList()).toEqual(["triggers"]);
    const paths = [...diff.getDetaileddiffMap().entries()].map(([path, property]) => `${path} ${property.getKind()}`);
    expect(paths.sort()).toEqual(["create 4", 'environment["a.b"] 2', "triggers 1"]);
  });

  it("reads a resource as it is", async () => {
    const request = new proto.ReadRequest();
    request.setId("i");
    request.setUrn(urnOf("local:Command"));
    request.setProperties(struct({ stdout: "s" }));
    request.setInputs(struct({ create: "c" }));
    const response = await send<proto.ReadRequest, proto.ReadResponse>(client.read.bind(client), request);
    expect([response.getId(), mapOf(response.getProperties()), mapOf(response.getInputs())]).toEqual([
      "i",
      { stdout: "s" },
      { create: "c" },
    ]);
  });

  it("tells the engine past a proxy that the environment names", async () => {
    vi.stubEnv("https_proxy", "http://127.0.0.1:1");
    vi.stubEnv("no_proxy", undefined);
    await new EngineLog(engineAddress).send("urn", "info", "said", false);
    vi.unstubAllEnvs();
    expect(logs.map(({ message }) => message)).toEqual(["said"]);
  });

  it("ends on cancel what runs here and what is being dialled, and refuses to run more", async () => {
    const running = create("local:Command", { create: "exec sleep 30" });
    const dialling = create("remote:Command", { connection: connection({ port: 1, dialErrorLimit: -1 }), create: "x" });
    const both = Promise.allSettled([running, dialling]);
    await expect.poll(() => serving.running()).toBe(2);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await send(client.cancel.bind(client) as never, new Empty());
    const reasons = (await both).map((each) => (each.status === "rejected" ? (each.reason as Error).message : "done"));
    expect(reasons).toEqual(['signal: killed: running "exec sleep 30":\n', "context canceled"]);
    await expect(create("local:Command", { create: "true" })).rejects.toThrow("context canceled");
    client.close();
    serving.stop();
    await start();
  });
});
