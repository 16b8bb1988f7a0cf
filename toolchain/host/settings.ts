import { NETWORK_KINDS, NETWORKS } from "../../components/network/registry";
import { configSchema } from "../../src/config";

/** What each setting means, for docs/settings.md; its test asserts that no key is missing. */
const MEANINGS: Readonly<Record<string, string>> = {
  clusterName: "name of the cluster",
  owner: "identity of the owner, where the state was lost: the one that the refusal names",
  podCidr: "addresses of all pods",
  serviceCidr: "addresses of the Services, outside the pod CIDR",
  nodePrefix: "prefix length of one node's pod CIDR",
  mtu: "MTU of the pods' links, 576 to 9216; without it each node's link decides",
  network: `${NETWORKS.map((name) => `\`${name}\``).join(", ")}: see [networks.md](networks.md)`,
  kubeProxyMode: "`auto` (nftables where the node has it), `nftables` or `iptables`",
  scheduleOnControlPlane: "whether ordinary pods run on the control plane too",
  nodes: "the lab's nodes by name, each `{slot, role?}`",
  hosts:
    "machines instead of a lab, by name: `{slot, role?, host, port?, user?, hostKey, internalIp?, kubeletConfig?, ignorePreflightErrors?, gone?}`",
  sshPrivateKey: "private key for `hosts`; a secret",
  sshPrivateKeyPassword: "passphrase of that key, where it has one; a secret",
  labName: "name of the lab on its host; derived from the clone's folder",
  labSubnet: "network of the lab's nodes; a free /24",
  dockerHost: "container engine of the lab, as in DOCKER_HOST",
  nodeImage: "image of the lab's nodes",
  mirror: "base URL of a mirror of the releases, in the upstream's layout",
  mirrorDir: "folder that lab nodes see at the same path, for a `file://` mirror",
  checksums: "SHA-256 of the mirror's files by path",
  serviceName: "the demo service's name",
  serviceReplicas: "its number of pods",
  servicePort: "its port",
  serviceTargetPort: "its pods' port",
  serviceSelector: "its selector",
  serviceImage: "its image; agnhost's HTTP server by default",
  serviceArgs: "arguments of its image",
};

function networkMeanings(): Record<string, string> {
  const settings = NETWORK_KINDS.flatMap((kind) => Object.entries(kind.settings));
  return Object.fromEntries(settings.map(([key, { meaning }]) => [key, meaning]));
}

/** The page's table of settings: key, default and meaning. */
export function settingsTable(): string {
  const meanings = { ...MEANINGS, ...networkMeanings() };
  const defaults = configSchema.parse({}) as Readonly<Record<string, unknown>>;
  const rows = Object.keys(configSchema.shape).map((key) => {
    const value = defaults[key];
    const text = value === undefined ? "" : `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
    return `| \`${key}\` | ${text} | ${meanings[key] ?? ""} |`;
  });
  return ["| key | default | meaning |", "|---|---|---|", ...rows].join("\n");
}
