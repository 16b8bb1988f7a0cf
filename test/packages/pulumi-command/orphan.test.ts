import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as proto from "@pulumi/pulumi/proto/provider_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { descendantsOf } from "../../../packages/pulumi-command/src/orphan";
import { startSshServer, type TestServer } from "./sshd";

const project = join(__dirname, "../../..");
/** Starts a program, passes its first line on, and stays: what the CLI is to a plugin. */
const STAYS =
  "require('child_process').spawn(process.argv[1], process.argv.slice(2), { stdio: ['ignore', 'inherit', 'inherit'] }); setInterval(() => {}, 1000)";

/** Whether a process is there and no zombie. */
function alive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${String(pid)}/stat`, "utf8"));
  } catch {
    return false;
  }
}

let folder = "";
let built = "";
let ssh: TestServer;
let cli: ChildProcess;
let client: ResourceProviderClient;

beforeAll(async () => {
  // As `make build` compiles it, in a place where it finds its packages.
  built = mkdtempSync(join(project, "node_modules", ".orphan-"));
  execFileSync(join(project, "node_modules/.bin/tsc"), [
    "-p",
    join(project, "packages/pulumi-command"),
    "--outDir",
    built,
  ]);
  ssh = await startSshServer();
}, 60_000);
afterAll(() => {
  ssh.stop();
  rmSync(built, { recursive: true, force: true });
});

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "podnet-orphan-"));
  // An engine's address makes it a plugin; nobody needs to listen there.
  const plugin = [process.execPath, join(built, "main.js"), "127.0.0.1:9"];
  cli = spawn(process.execPath, ["-e", STAYS, ...plugin], { stdio: ["ignore", "pipe", "ignore"] });
  const lines = createInterface({ input: cli.stdout as NodeJS.ReadableStream });
  const port = await new Promise<string>((resolve) => lines.once("line", resolve));
  client = new ResourceProviderClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
});
afterEach(() => {
  client.close();
  cli.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

function begin(type: string, inputs: object): void {
  const request = new proto.CreateRequest();
  request.setUrn(`urn:pulumi:s::p::command:${type}::x`);
  request.setProperties(Struct.fromJavaScript(inputs as never));
  client.create(request, () => undefined);
}

const pidIn = async (file: string): Promise<number> => {
  const path = join(folder, file);
  await expect.poll(() => existsSync(path) && readFileSync(path, "utf8").trim() !== "", { timeout: 10_000 }).toBe(true);
  return Number(readFileSync(path, "utf8"));
};

describe("a CLI that is killed takes the provider with it within seconds", () => {
  const plugin = (): number => descendantsOf(cli.pid ?? 0)[0] ?? 0;
  async function endsWithCli(pids: readonly number[]): Promise<void> {
    expect(pids.map(alive)).toEqual(pids.map(() => true));
    cli.kill("SIGKILL");
    await expect.poll(() => pids.filter(alive), { timeout: 8_000, interval: 100 }).toEqual([]);
  }

  test("while nothing runs", async () => {
    await endsWithCli([plugin()]);
  });

  test("while a remote command runs", async () => {
    const connection = { host: "127.0.0.1", port: ssh.port, privateKey: ssh.privateKey, hostKey: ssh.hostKey };
    begin("remote:Command", { connection, create: `echo $$ >'${folder}/remote'; exec sleep 60` });
    const remote = await pidIn("remote");
    try {
      await endsWithCli([plugin()]);
      // It is the other machine's.
      expect(alive(remote)).toBe(true);
      await expect.poll(() => ssh.open(), { timeout: 3000 }).toBe(0);
    } finally {
      process.kill(remote, "SIGKILL");
    }
  });

  test("and with what runs here, whatever that started", async () => {
    begin("local:Command", { create: `sleep 60 & echo $! >'${folder}/child'; echo $$ >'${folder}/shell'; wait` });
    const pids = [await pidIn("shell"), await pidIn("child")];
    await endsWithCli([plugin(), ...pids]);
  });

  test("while it dials a machine that does not answer", async () => {
    const connection = { host: "127.0.0.1", port: 1, privateKey: ssh.privateKey, dialErrorLimit: -1 };
    begin("remote:Command", { connection, create: "true" });
    await endsWithCli([plugin()]);
  });
});
