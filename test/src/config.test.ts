import { expect, test } from "vitest";
import { NETWORKS } from "../../components/network/registry";
import { configSchema, parseConfig } from "../../src/config";
import { keyPair } from "../packages/pulumi-command/sshd";

/** The message of config given as `key=text`. */
function errorOf(config: Record<string, string>): string {
  try {
    parseConfig(Object.fromEntries(Object.entries(config).map(([key, text]) => [`podnet:${key}`, text])));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "";
}

const nodes = (value: object): Record<string, string> => ({ nodes: JSON.stringify(value) });
const cp = { slot: 0, role: "control-plane" };
const keys = keyPair();

test("an empty config is the default one", () => {
  expect(parseConfig({ "other:key": "is not podnet's" })).toEqual({
    ...configSchema.parse({}),
    networkArguments: {},
  });
});

test.each<[string, Record<string, string>, string]>([
  [
    "overlapping CIDRs",
    { podCidr: "10.96.0.0/12" },
    "invalid config: serviceCidr: 10.96.0.0/16 overlaps the pod CIDR 10.96.0.0/12; choose one outside it",
  ],
  [
    "a service CIDR inside the pod CIDR",
    { serviceCidr: "10.244.128.0/17" },
    "invalid config: serviceCidr: 10.244.128.0/17 overlaps the pod CIDR 10.244.0.0/16; choose one outside it",
  ],
  [
    "a pod CIDR too small for the slots",
    { podCidr: "10.244.0.0/23" },
    'invalid config: podCidr: 10.244.0.0/23 has 2 subnets of /24, so slots 0 to 1; node "w2" has slot 2',
  ],
  [
    "a duplicate slot",
    nodes({ cp, w1: { slot: 1 }, w2: { slot: 1 } }),
    'invalid config: nodes.w2.slot: slot 1 is taken by node "w1"; every node needs its own',
  ],
  [
    "no control plane",
    nodes({ w1: { slot: 1 } }),
    'invalid config: nodes: no node has the role "control-plane"; give it to exactly one',
  ],
  [
    "two control planes",
    nodes({ a: cp, b: { slot: 1, role: "control-plane" } }),
    'invalid config: nodes: "a" and "b" have the role "control-plane"; more than one is not supported yet',
  ],
  [
    "a control plane that is gone",
    {
      hosts: JSON.stringify({ cp: { ...cp, gone: true, host: "192.0.2.1", hostKey: keys.public } }),
      sshPrivateKey: keys.private,
    },
    'invalid config: hosts.cp.gone: the cluster ends with the machine of its control plane; start the machine and take "gone" away, or remove the stack: pulumi stack rm --force',
  ],
  [
    "bad CIDR text",
    { podCidr: "10.244.0.0" },
    'invalid config: podCidr: "10.244.0.0" is not an IPv4 CIDR such as 10.244.0.0/16',
  ],
  [
    "an illegal name",
    nodes({ cp, W_1: { slot: 1 } }),
    'invalid config: nodes.W_1: must be a DNS label (a-z, 0-9 and -, at most 63 characters, starting and ending with a letter or digit), got "W_1"',
  ],
  [
    "an MTU out of range",
    { mtu: "90000" },
    "invalid config: mtu: must be a whole number between 576 and 9216, got 90000",
  ],
  [
    "an unknown network",
    { network: "calico" },
    `invalid config: network: must be ${NETWORKS.map((name) => `"${name}"`)
      .join(", ")
      .replace(/, ([^,]*)$/, " or $1")}, got "calico"`,
  ],
  [
    "a setting of another network",
    { network: "flannel", ciliumRoutingMode: "tunnel" },
    "invalid config: ciliumRoutingMode: is read by the network cilium only, and the network is flannel; take it away",
  ],
  [
    "an unknown backend and a truth that is none",
    { network: "flannel", flannelBackend: "udp", ciliumKubeProxyReplacement: "yes" },
    'invalid config:\n  ciliumKubeProxyReplacement: must be JSON, got "yes"\n  flannelBackend: must be "host-gw" or "vxlan", got "udp"',
  ],
  ["an MTU that is no number", { mtu: "jumbo" }, 'invalid config: mtu: must be a number, got "jumbo"'],
  [
    "a selector with an illegal label",
    { serviceSelector: '{"app":"web server"}' },
    'invalid config: serviceSelector.app: "web server" is not a legal label value',
  ],
  [
    "an empty selector",
    { serviceSelector: "{}" },
    "invalid config: serviceSelector: must have at least one label: an empty selector matches no pod",
  ],
  ["port 0", { servicePort: "0" }, "invalid config: servicePort: must be a whole number between 1 and 65535, got 0"],
  [
    "port 70000",
    { serviceTargetPort: "70000" },
    "invalid config: serviceTargetPort: must be a whole number between 1 and 65535, got 70000",
  ],
  ["an unknown key", { podCdir: "10.0.0.0/8" }, 'invalid config: podCdir: unknown key; did you mean "podCidr"?'],
  [
    "an unknown key of a node",
    nodes({ cp, w1: { slots: 1 } }),
    'invalid config:\n  nodes.w1.slot: is required\n  nodes.w1.slots: unknown key; did you mean "slot"?',
  ],
  ["text that is no JSON", { nodes: "cp,w1" }, 'invalid config: nodes: must be JSON, got "cp,w1"'],
  [
    "arguments of an image that are no JSON, which may hold a password",
    { serviceArgs: "--password=hunter2" },
    "invalid config: serviceArgs: must be JSON",
  ],
  [
    "arguments of an image that are no list of texts",
    { serviceArgs: '["--password", 12345678]' },
    "invalid config: serviceArgs.1: must be a string, got a number",
  ],
  [
    "one argument of an image that is in no list",
    { serviceArgs: '"--password=hunter2"' },
    "invalid config: serviceArgs: must be an array, got a string",
  ],
  [
    "hosts without a key",
    { hosts: JSON.stringify({ cp: { ...cp, host: "192.0.2.1", hostKey: keys.public } }) },
    "invalid config: sshPrivateKey: is required with hosts; set it with: pulumi config set --secret podnet:sshPrivateKey < key",
  ],
  [
    "a key and a host key that nothing can use",
    {
      hosts: JSON.stringify({ cp: { ...cp, host: "192.0.2.1", hostKey: "ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB" } }),
      sshPrivateKey: "~/.ssh/id_ed25519",
    },
    "invalid config:\n  sshPrivateKey: is a path; give what the file holds\n  hosts.cp.hostKey: is a key of the kind ssh-rsa, with which the command plugin asks for signatures that sshd refuses; pin another of the machine's keys: /etc/ssh/ssh_host_ed25519_key.pub",
  ],
])("refuses %s", (_, config, message) => {
  expect(errorOf(config)).toBe(message);
});

test("repeats no value of a key that is a secret, and no password in a mirror's address", () => {
  const config = {
    "podnet:mirror": "https://ci:hunter2@mirror.example.com/x?y",
    "podnet:serviceImage": "Hunter3",
    "podnet:checksums": "hunter4",
  };
  const of = (isSecret?: (key: string) => boolean): string => {
    try {
      parseConfig(config, isSecret);
    } catch (error) {
      return String(error);
    }
    return "";
  };
  expect(of()).toContain(
    'mirror: must be an http://, https:// or file:/// URL without query, got "https://mirror.example.com/x?y"',
  );
  const said = of((key) => key !== "podnet:mirror");
  expect(said).not.toMatch(/hunter/i);
  expect(said).toMatch(/^ {2}checksums: must be JSON$/m);
});

test("hands a network its own settings by the names of its arguments", () => {
  const config = { "podnet:network": "cilium", "podnet:ciliumRoutingMode": "tunnel" };
  expect(parseConfig(config).networkArguments).toEqual({ routingMode: "tunnel", kubeProxyReplacement: false });
});

test("reports all that is wrong at once", () => {
  expect(errorOf({ podCdir: "x", mtu: "1", servicePort: "0" })).toBe(
    [
      "invalid config:",
      '  podCdir: unknown key; did you mean "podCidr"?',
      "  mtu: must be a whole number between 576 and 9216, got 1",
      "  servicePort: must be a whole number between 1 and 65535, got 0",
    ].join("\n"),
  );
});
