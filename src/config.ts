import { z } from "zod";
import {
  absolutePath,
  checksums,
  cidrText,
  dnsLabel,
  dockerHost,
  hostName,
  ignorePreflightErrors,
  image,
  ipv4Text,
  kubeletConfig,
  kubeProxyMode,
  mirrorUrl,
  mtu,
  nodePrefix,
  oneOf,
  ownerIdentity,
  port,
  programArgs,
  replicas,
  role,
  selector,
  slot,
} from "../components/args/schemas";
import type { Json } from "../components/args/json";
import { topologyProblems } from "../components/cluster/topology";
import { InvalidInputError, type Problem, problemsOf, show, unknownKey } from "../components/args/validate";
import { sshConnection } from "../components/machine/connection";
import { privateKeyProblems } from "../components/machine/keys";
import type { Role } from "../components/machine/Machine";
import { NETWORK_KINDS, NETWORKS } from "../components/network/registry";
import { serviceName } from "../components/service/args";

/** Namespace of podnet's keys in a stack's config. */
export const NAMESPACE = "podnet";

const labNode = z.strictObject({ slot, role: role.optional() });
const sshHost = z.strictObject({
  slot,
  role: role.optional(),
  host: hostName,
  port: port.optional(),
  user: sshConnection.shape.user,
  hostKey: sshConnection.shape.hostKey,
  internalIp: ipv4Text.optional(),
  // Not so deep a type for what is read from Outputs; here it is plain.
  kubeletConfig: (kubeletConfig as z.ZodType<Record<string, Json>>).optional(),
  ignorePreflightErrors: ignorePreflightErrors.optional(),
  gone: z.boolean().optional(),
});

/** The keys that every stack's config may have. */
const common = z.strictObject({
  clusterName: dnsLabel.default("podnet"),
  podCidr: cidrText.default("10.244.0.0/16"),
  serviceCidr: cidrText.default("10.96.0.0/16"),
  nodePrefix: nodePrefix.default(24),
  mtu: mtu.optional(),
  network: oneOf(NETWORKS as [string, ...string[]]).default("bridge"),
  kubeProxyMode: kubeProxyMode.default("auto"),
  scheduleOnControlPlane: z.boolean().default(true),
  nodes: z.record(dnsLabel, labNode).default({
    cp: { slot: 0, role: "control-plane" },
    w1: { slot: 1 },
    w2: { slot: 2 },
  }),
  hosts: z.record(dnsLabel, sshHost).optional(),
  sshPrivateKey: sshConnection.shape.privateKey.optional(),
  sshPrivateKeyPassword: sshConnection.shape.privateKeyPassword,
  labName: dnsLabel.optional(),
  labSubnet: cidrText.optional(),
  dockerHost: dockerHost.optional(),
  nodeImage: image.optional(),
  mirror: mirrorUrl.optional(),
  mirrorDir: absolutePath.optional(),
  checksums: checksums.optional(),
  owner: ownerIdentity.optional(),
  serviceName: serviceName.default("web"),
  serviceReplicas: replicas.default(3),
  servicePort: port.default(80),
  serviceTargetPort: port.default(8080),
  serviceSelector: selector.default({ app: "web" }),
  serviceImage: image.optional(),
  serviceArgs: programArgs.optional(),
});

/** Settings that only one of the networks reads, by key. */
const networkSettings = Object.fromEntries(
  NETWORK_KINDS.flatMap(({ kind, settings }) =>
    Object.entries(settings).map(([key, setting]) => [key, { kind, ...setting }] as const),
  ),
);

/** Every key a stack's config may have, with its default. Lists and maps are JSON, as `pulumi config set --path` writes. */
export const configSchema = z.strictObject({
  ...common.shape,
  ...Object.fromEntries(Object.entries(networkSettings).map(([key, { schema }]) => [key, schema])),
});

/** A stack's config, complete and valid. */
export type Config = z.output<typeof common> & {
  /** Settings of the chosen network, by the names of its class's arguments. */
  readonly networkArguments: Readonly<Record<string, unknown>>;
};

/** Keys whose values stay secret, in previews and in the state, where the stack's config has them as secrets. */
export const CONFIDENTIAL = ["mirror", "checksums", "serviceImage", "serviceArgs"] as const;

/** Keys that are secrets in the stack's config, and whose values are names or numbers that podnet shows all the same. */
export function shownSecrets(isSecret: (full: string) => boolean): string[] {
  const hidden: readonly string[] = [...CONFIDENTIAL, "sshPrivateKey", "sshPrivateKeyPassword"];
  return Object.keys(configSchema.shape).filter((key) => !hidden.includes(key) && isSecret(`${NAMESPACE}:${key}`));
}

const NUMBERS = ["nodePrefix", "mtu", "serviceReplicas", "servicePort", "serviceTargetPort"];
const JSONS = [
  "scheduleOnControlPlane",
  ...["nodes", "hosts", "checksums", "serviceSelector", "serviceArgs"],
  ...Object.entries(networkSettings).flatMap(([key, { schema }]) => (isBoolean(schema) ? [key] : [])),
];

/** Keys whose value may be a secret, which no message repeats. */
const UNSAID = ["serviceArgs"];

/** Whether a setting is written as true or false. */
function isBoolean(schema: z.ZodType): boolean {
  return schema.safeParse(true).success;
}

/**
 * Reads a stack's config from Pulumi's own texts, keyed `<namespace>:<name>`. Keys of other namespaces are not podnet's
 * business. Throws one InvalidInputError with all that is wrong, the unknown keys with what was probably meant, and no value of a key
 * that is a secret.
 */
export function parseConfig(
  all: Readonly<Record<string, string>>,
  isSecret: (full: string) => boolean = () => false,
): Config {
  try {
    return parsed(all);
  } catch (error) {
    if (!(error instanceof InvalidInputError)) {
      throw error;
    }
    const secret = ({ path }: Problem): boolean => isSecret(`${NAMESPACE}:${path.replace(/\..*/, "")}`);
    throw new InvalidInputError(
      "config",
      error.problems.map((problem) =>
        secret(problem) ? { ...problem, message: problem.message.replace(/, got .*/s, "") } : problem,
      ),
    );
  }
}

function parsed(all: Readonly<Record<string, string>>): Config {
  const problems: Problem[] = [];
  const values: Record<string, unknown> = {};
  for (const [full, text] of Object.entries(all)) {
    if (!full.startsWith(`${NAMESPACE}:`)) {
      continue;
    }
    const key = full.slice(NAMESPACE.length + 1);
    if (!Object.hasOwn(configSchema.shape, key)) {
      problems.push({ path: key, message: unknownKey(key, Object.keys(configSchema.shape)) });
    } else {
      values[key] = read(key, text, problems);
    }
  }
  problems.push(...keyProblems(all[`${NAMESPACE}:sshPrivateKey`], all[`${NAMESPACE}:sshPrivateKeyPassword`]));
  const result = configSchema.safeParse(values, { reportInput: true });
  if (!result.success) {
    // A text that is no JSON was reported as such already.
    const found = problemsOf(result.error, configSchema);
    problems.push(...found.filter(({ path }) => !problems.some((known) => known.path === path)));
    throw new InvalidInputError("config", problems);
  }
  const settings = result.data as z.output<typeof common> & Readonly<Record<string, unknown>>;
  problems.push(...crossProblems(settings), ...networkProblems(settings.network, Object.keys(values)));
  if (problems.length > 0) {
    throw new InvalidInputError("config", problems);
  }
  return { ...settings, networkArguments: argumentsOf(settings.network, settings) };
}

function read(key: string, text: string, problems: Problem[]): unknown {
  if (NUMBERS.includes(key)) {
    return /^-?[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : text;
  }
  if (!JSONS.includes(key)) {
    return text;
  }
  try {
    return JSON.parse(text);
  } catch {
    problems.push({ path: key, message: UNSAID.includes(key) ? "must be JSON" : `must be JSON, got ${show(text)}` });
    return undefined;
  }
}

function keyProblems(key: string | undefined, passphrase: string | undefined): Problem[] {
  const found = key === undefined ? [] : privateKeyProblems(key, passphrase);
  return found.map(({ path, message }) => ({ path: path.replace(/^p/, "sshP"), message }));
}

/** The settings of a network under the names of its class's arguments. */
function argumentsOf(kind: string, settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(networkSettings).flatMap(([key, setting]) =>
      setting.kind === kind ? [[setting.argument, settings[key]]] : [],
    ),
  );
}

function networkProblems(chosen: string, given: readonly string[]): Problem[] {
  return given.flatMap((key) => {
    const reader = networkSettings[key]?.kind;
    return reader === undefined || reader === chosen
      ? []
      : [{ path: key, message: `is read by the network ${reader} only, and the network is ${chosen}; take it away` }];
  });
}

function crossProblems(config: z.output<typeof common>): Problem[] {
  const places: Readonly<Record<string, { slot: number; role?: Role | undefined; gone?: boolean | undefined }>> =
    config.hosts ?? config.nodes;
  const path = config.hosts ? "hosts" : "nodes";
  const problems = topologyProblems({
    ...config,
    nodes: Object.fromEntries(
      Object.entries(places).map(([name, { slot: number, role: part = "worker", gone }]) => [
        name,
        { slot: number, role: part, gone },
      ]),
    ),
  }).map((problem) => ({ ...problem, path: problem.path.replace(/^nodes(?=$|\.)/, path) }));
  if (config.hosts && config.sshPrivateKey === undefined) {
    problems.push({
      path: "sshPrivateKey",
      message: "is required with hosts; set it with: pulumi config set --secret podnet:sshPrivateKey < key",
    });
  }
  return problems;
}
