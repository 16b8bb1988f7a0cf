import { z } from "zod";
import {
  absolutePath,
  checksums,
  ciliumRoutingMode,
  cidrText,
  dnsLabel,
  dockerHost,
  dnsDomain,
  flannelBackend,
  hostName,
  image,
  ipv4Text,
  kubeProxyMode,
  mirrorUrl,
  mtu,
  networkId,
  nodePrefix,
  port,
  role,
  slot,
} from "./schemas";
import { show } from "./validate";

/** Fields of an SSH connection, as in NodeArgs. */
export const connection = z.strictObject({
  host: hostName,
  port: port.optional(),
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}\$?$/, { error: (issue) => `must be a user name, got ${show(issue.input)}` })
    .optional(),
  privateKey: z.string().regex(/-----BEGIN [A-Z ]*PRIVATE KEY-----/, "must be a private key in OpenSSH or PEM form"),
  hostKey: z
    .string()
    .regex(
      /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+=*( .*)?\s*$/,
      "must be a public key as in /etc/ssh/ssh_host_ed25519_key.pub on the machine",
    ),
});

/** Name, slot and role of a node. */
const place = { slot, role: role.optional() };

/** Nodes by name, of which a cluster has at least one. */
function nodesOf<T extends z.ZodRawShape>(shape: T) {
  return z.record(dnsLabel, z.strictObject(shape));
}

/** Arguments of Lab. */
export const labArgs = z.strictObject({
  labName: dnsLabel.optional(),
  subnet: cidrText.optional(),
  image: image.optional(),
  dockerHost: dockerHost.optional(),
  mirrorDir: absolutePath.optional(),
  nodes: nodesOf(place),
});

/** Arguments of SshHost. */
export const sshHostArgs = z.strictObject({ ...place, internalIp: ipv4Text.optional(), connection });

const json: z.ZodType = z.json();

/** Arguments of Cluster; connections are checked apart, because they hold secrets. */
export const clusterArgs = z.strictObject({
  clusterName: dnsLabel,
  nodes: nodesOf({
    ...place,
    internalIp: ipv4Text,
    kubeletConfig: z.record(z.string(), json).optional(),
    ignorePreflightErrors: z
      .array(z.string().regex(/^[A-Za-z0-9_.-]+$/, "must be the name of a kubeadm preflight check"))
      .optional(),
  }),
  podCidr: cidrText,
  serviceCidr: cidrText,
  nodePrefix,
  dnsDomain,
  kubeProxyMode,
  scheduleOnControlPlane: z.boolean(),
  network: networkId.optional(),
  mirror: mirrorUrl.optional(),
  checksums: checksums.optional(),
});

/** Arguments of BridgeNetwork. */
export const bridgeNetworkArgs = z.strictObject({ mtu: mtu.optional() });

/** Arguments of FlannelNetwork. */
export const flannelNetworkArgs = z.strictObject({ backend: flannelBackend, mtu: mtu.optional() });

/** Arguments of KubeRouterNetwork. */
export const kubeRouterNetworkArgs = z.strictObject({ serviceProxy: z.boolean(), mtu: mtu.optional() });

/** Arguments of CiliumNetwork. */
export const ciliumNetworkArgs = z.strictObject({
  routingMode: ciliumRoutingMode,
  kubeProxyReplacement: z.boolean(),
  mtu: mtu.optional(),
});
