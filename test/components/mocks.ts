import * as pulumi from "@pulumi/pulumi";
import { Cluster, type Role, SshHost } from "../../components/index";
import { nonceIn } from "../../components/node/parameters";
import { keyPair } from "../packages/pulumi-command/sshd";

/** A resource that a program under test made. */
export interface Made {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
}

/** The nonce-framed answer of the node program to the parameters that a resource was given. */
export function framed(stdin: string, line: string): string {
  const nonce = nonceIn(stdin);
  return `podnet ${nonce} | ${line}\npodnet ${nonce} 0\n`;
}

/** Text of an input that may be a secret. */
export function plain(input: unknown): string {
  return typeof input === "object" && input !== null ? String((input as { value: unknown }).value) : String(input);
}

const TOKEN = "abcdef.0123456789abcdef";
const OWNER = "11111111-2222-3333-4444-555555555555";
const CONTROL_PLANE = JSON.stringify({
  kubeconfig: Buffer.from("clusters:\n- cluster:\n    server: https://10.0.0.1:6443\n").toString("base64"),
  caCertHash: `sha256:${"a".repeat(64)}`,
  token: TOKEN,
});

/** What the node program answers, by the phase in the line that starts it. */
const ANSWERS: Readonly<Record<string, string>> = {
  init: CONTROL_PLANE,
  change: '{"network":"any","generation":"1"}',
  network: '{"mtu":1500,"link":"eth0"}',
};

const keys = keyPair();
/** What podnet's commands on the machine that plans answer, by the last word of their line. */
const LOCAL_ANSWERS: Readonly<Record<string, string>> = {
  endpoints: '{"endpoints":["web-1"]}',
  "lab-keys": JSON.stringify({ privateKey: keys.private, publicKey: keys.public }),
  "lab-network": "172.30.0.0/24",
  "lab-node": keys.public,
};

function stdoutOf({ type, name, inputs }: Made): string {
  if (type === "command:remote:Command") {
    const phase = /\/start ([a-z]+)$/.exec(String(inputs["create"]))?.[1] ?? "";
    return framed(plain(inputs["stdin"]), ANSWERS[phase] ?? "{}");
  }
  const line = String(inputs["create"]).split(" ").at(-1) ?? "";
  if (name.endsWith("-choice")) {
    return "1790000000000";
  }
  return name.endsWith("-owner") ? OWNER : (LOCAL_ANSWERS[line] ?? '{"passed":true,"claims":{}}');
}

/** The state of a resource as the mocks make it: its inputs and what it would print. */
export function stateOf(made: Made): Record<string, unknown> {
  return { ...made.inputs, stdout: stdoutOf(made) };
}

/** Puts mocks in the place of Pulumi's engine; `record` sees every resource as it is made. */
export async function useMocks(record: (made: Made) => void): Promise<void> {
  await pulumi.runtime.setMocks({
    newResource: ({ type, name, inputs }) => {
      const made = { type, name, inputs: inputs as Record<string, unknown> };
      record(made);
      return { id: `${name}-id`, state: stateOf(made) };
    },
    call: () => ({}),
  });
}

function host(name: string, slot: number, role: Role): SshHost {
  return new SshHost(name, {
    slot,
    role,
    connection: { host: `192.0.2.${String(10 + slot)}`, privateKey: keys.private, hostKey: keys.public },
  });
}

/** A cluster `demo` of a control plane `cp` and workers `w1` and on. */
export function cluster(workers: number, more: object = {}): Cluster {
  const nodes = Object.fromEntries([
    ["cp", host("cp", 0, "control-plane")],
    ...Array.from({ length: workers }, (_, i) => [`w${String(i + 1)}`, host(`w${String(i + 1)}`, i + 1, "worker")]),
  ]) as Record<string, SshHost>;
  return new Cluster("demo", { nodes, podCidr: "10.244.0.0/16", serviceCidr: "10.96.0.0/16", ...more });
}

/** Lets everything that is asynchronous in a program come about: until no resource is made for a while. */
export async function settle(made: () => number): Promise<void> {
  for (let before = -1, quiet = 0; quiet < 4;) {
    await new Promise((done) => setTimeout(done, 50));
    quiet = before === made() ? quiet + 1 : 0;
    before = made();
  }
}

/** The bootstrap token that the control plane of the mocks answers. */
export const MOCK_TOKEN = TOKEN;
