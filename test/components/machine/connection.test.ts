import { generateKeyPairSync } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { unknown } from "@pulumi/pulumi/output";
import { beforeAll, expect, test } from "vitest";
import { Cluster, SshHost } from "../../../components/index";
import { checkedConnection } from "../../../components/machine/connection";
import type { Dialled } from "../../../components/machine/dialled";
import { keyPair } from "../../packages/pulumi-command/sshd";
import { useMocks } from "../mocks";

const keys = keyPair();
const ssh = { host: "192.0.2.10", privateKey: keys.private, hostKey: keys.public };
const locked = generateKeyPairSync("ed25519", {
  privateKeyEncoding: { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "se cret" },
  publicKeyEncoding: { type: "spki", format: "pem" },
}).privateKey;
beforeAll(() => useMocks(() => undefined));

type Seen = pulumi.Output<Dialled> & { readonly isKnown: Promise<boolean>; promise(): Promise<Dialled> };
const dialled = (connection: Parameters<typeof checkedConnection>[1]): Seen =>
  checkedConnection("w1", connection).dialled as Seen;

/** What a program is ended with, as text. */
function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "";
}

/** What ends a program later, which nothing in it catches. */
async function firstRejection(work: () => unknown): Promise<string> {
  const listeners = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  try {
    const ended = new Promise<unknown>((end) => process.on("unhandledRejection", end));
    work();
    const reason = String(await ended);
    await new Promise((done) => setTimeout(done, 50));
    return reason;
  } finally {
    process.removeAllListeners("unhandledRejection");
    listeners.forEach((listener) => process.on("unhandledRejection", listener));
  }
}

test("hands on what is fit for both SSH libraries, with every default", async () => {
  expect(await dialled(ssh).promise()).toEqual({ ...ssh, port: 22, user: "root" });
});

test("opens a key with its passphrase, plain or as secrets, and hands on one that needs none", async () => {
  const plain = await dialled({ ...ssh, privateKey: locked, privateKeyPassword: "se cret" }).promise();
  const secret = await dialled({
    ...ssh,
    privateKey: pulumi.secret(locked),
    privateKeyPassword: pulumi.secret("se cret"),
  }).promise();
  expect(plain.privateKey).toMatch(/^-----BEGIN OPENSSH PRIVATE KEY-----\n[\s\S]*-----\n$/);
  expect(secret).toEqual(plain);
  expect(Object.keys(plain).sort()).toEqual(["host", "hostKey", "port", "privateKey", "user"]);
});

test("names the node and all that is plainly wrong at once, and nothing of a secret", () => {
  const wrong = { host: "", port: 0, user: "ro ot", privateKey: keys.public, hostKey: keys.private };
  expect(() => checkedConnection("w1", wrong)).toThrow(
    [
      'invalid connection of node "w1":',
      '  host: must be a host name such as cp.example.com, or an IP address, got ""',
      "  port: must be a whole number between 1 and 65535, got 0",
      '  user: must be a user name (letters, digits, ., _, - and @), got "ro ot"',
      "  hostKey: is a private key; give the public one, the file with .pub",
      "  privateKey: is a public key; give the private one, the file without .pub",
    ].join("\n"),
  );
  expect(() => checkedConnection("w1", { ...ssh, privateKey: locked })).toThrow(
    'invalid connection of node "w1": privateKeyPassword: is required: the private key is protected by a passphrase',
  );
});

test.each(["root", "jane.doe", "Administrator", "jane@corp.example", "_svc", "1user", "host$"])(
  "takes the user %s, as sshd does",
  async (user) => {
    expect((await dialled({ ...ssh, user }).promise()).user).toBe(user);
  },
);

test.each(["", "-x", "ubuntu ", "a'b", "a;b", "$(id)", "a\nb", "corp\\jane"])("refuses the user %j", (user) => {
  expect(() => checkedConnection("w1", { ...ssh, user })).toThrow("user: must be a user name (");
});

test("says the type of a secret that is no text, and never its value, however it is given", async () => {
  const wrong = { ...ssh, privateKey: locked, privateKeyPassword: 12345678 as unknown as string };
  const said = 'invalid connection of node "w1": privateKeyPassword: must be a string, got a number';
  expect(messageOf(() => checkedConnection("w1", wrong))).toBe(said);
  expect(messageOf(() => new SshHost("w1", { slot: 0, connection: wrong }))).toBe(
    "invalid SshHost args: connection.privateKeyPassword: must be a string, got a number",
  );
  expect(messageOf(() => checkedConnection("w1", { ...ssh, privateKey: ["hunter2"] as unknown as string }))).toBe(
    'invalid connection of node "w1": privateKey: must be a string, got an array',
  );
  expect(messageOf(() => checkedConnection("w1", { host: "cp", hostKey: keys.public } as typeof ssh))).toBe(
    'invalid connection of node "w1": privateKey: is required',
  );
  const listed = [{ privateKeyPassword: "hunter2" }] as unknown as typeof ssh;
  expect(messageOf(() => new SshHost("w1", { slot: 0, connection: listed }))).toBe(
    "invalid SshHost args: connection: must be an object, got an array",
  );
  expect(await firstRejection(() => dialled({ ...wrong, privateKeyPassword: pulumi.secret(12345678) as never }))).toBe(
    `InvalidInputError: ${said}`,
  );
});

test("of all machines of a cluster are told at once, with the cluster's other arguments", () => {
  const machine = (slot: number, more: object) => ({
    ...{ slot, role: slot === 0 ? ("control-plane" as const) : ("worker" as const) },
    ...{ internalIp: `192.0.2.${String(10 + slot)}`, connection: { ...ssh, ...more } },
  });
  const nodes = {
    cp: machine(0, { privateKey: locked }),
    w1: machine(1, {}),
    w2: machine(2, { hostKey: "?", port: 0 }),
  };
  const start = [
    "invalid Cluster args:",
    "  nodes.cp.connection.privateKeyPassword: is required: the private key is protected by a passphrase; give it, or take it off a copy: ssh-keygen -p -f COPY",
    "  nodes.w2.connection.port: must be a whole number between 1 and 65535, got 0",
    "  nodes.w2.connection.hostKey: must be a public key as in /etc/ssh/ssh_host_ed25519_key.pub on the machine",
  ];
  const args = { nodes, podCidr: "10.244.0.0/16", serviceCidr: "10.96.0.0/16" };
  expect(() => new Cluster("demo", args)).toThrow(start.join("\n"));
  expect(() => new Cluster("demo", { ...args, podCidr: "10.244.0.0" })).toThrow(
    [start[0], '  podCidr: "10.244.0.0" is not an IPv4 CIDR such as 10.244.0.0/16', ...start.slice(1)].join("\n"),
  );
});

test("leaves what is not known yet unknown, and checks what is beside it", async () => {
  const later = pulumi.secret(unknown) as unknown as pulumi.Output<string>;
  expect(await dialled({ ...ssh, privateKey: later }).isKnown).toBe(false);
  expect(await dialled({ ...ssh, privateKey: locked, privateKeyPassword: later }).isKnown).toBe(false);
  expect(await dialled({ ...ssh, hostKey: later }).isKnown).toBe(false);
  expect(() => checkedConnection("w1", { ...ssh, privateKey: later, hostKey: "garbage" })).toThrow(
    'invalid connection of node "w1": hostKey: must be a public key',
  );
});

test("refuses what turns out wrong as soon as it is known, which ends the program", async () => {
  expect(await firstRejection(() => dialled({ ...ssh, privateKey: pulumi.secret(keys.public) }))).toBe(
    'InvalidInputError: invalid connection of node "w1": privateKey: is a public key; give the private one, the file without .pub',
  );
});

test("of an SshHost is checked with its other arguments, and keeps its passphrase a secret", async () => {
  const args = { slot: 0, connection: { ...ssh, privateKey: locked, privateKeyPassword: "wrong" } };
  expect(() => new SshHost("w1", { ...args, slot: -1 })).toThrow(
    [
      "invalid SshHost args:",
      "  slot: must be a whole number between 0 and 65535, got -1",
      "  connection.privateKeyPassword: does not open the private key",
    ].join("\n"),
  );
  const { connection } = new SshHost("w2", {
    slot: 0,
    connection: { ...ssh, privateKey: locked, privateKeyPassword: "se cret" },
  });
  expect(await pulumi.isSecret(pulumi.output(connection.privateKeyPassword))).toBe(true);
});
