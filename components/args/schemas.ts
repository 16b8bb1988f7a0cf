import { isIP } from "node:net";
import { z } from "zod";
import { parseCidr, parseIpv4 } from "./ipv4";
import { messageOf, show, showType } from "./validate";

/** Text that a parser accepts; the parser's own error is the message. */
function parsedText(parse: (text: string) => unknown) {
  return z.string().superRefine((text, context) => {
    try {
      parse(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: messageOf(error) });
    }
  });
}

/** What a schema of something secret is made with: its messages name a value's type, and never repeat it. */
export function unsaid(what: string) {
  return {
    error: ({ input }: { readonly input?: unknown }) =>
      input === undefined ? "is required" : `must be ${what}, got ${showType(input)}`,
  };
}

/** Text that is a secret. */
export const secretText = z.string(unsaid("a string"));

/** Arguments of a program, any of which may be a secret. */
export const programArgs = z.array(secretText, unsaid("an array"));

/** A whole number in a closed range. */
export function whole(min: number, max: number) {
  const message = `must be a whole number between ${String(min)} and ${String(max)}`;
  return z.number().refine((value) => Number.isInteger(value) && value >= min && value <= max, {
    error: (issue) => `${message}, got ${show(issue.input)}`,
  });
}

/** A choice of words, all of which the message names. */
export function oneOf<const T extends readonly [string, ...string[]]>(words: T) {
  const named = words.map((word) => `"${word}"`);
  const text = `${named.slice(0, -1).join(", ")} or ${named.at(-1) ?? ""}`;
  return z.enum(words, { error: (issue) => `must be ${text}, got ${show(issue.input)}` });
}

/** IPv4 network in CIDR notation, without host bits. */
export const cidrText = parsedText(parseCidr);

/** IPv4 address as a dotted quad. */
export const ipv4Text = parsedText(parseIpv4);

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** A DNS label by RFC 1123, which Kubernetes asks of the names of Namespaces and (here) nodes. */
export const dnsLabel = z.string().refine((value) => DNS_LABEL.test(value), {
  error: (issue) =>
    `must be a DNS label (a-z, 0-9 and -, at most 63 characters, starting and ending with a letter or digit), got ${show(issue.input)}`,
});

const json: z.ZodType = z.json();

/** Fields of a node's KubeletConfiguration, which the kubelet itself checks. */
export const kubeletConfig = z.record(z.string(), json);

/** Names of kubeadm's preflight checks that may fail. */
export const ignorePreflightErrors = z.array(
  z.string().regex(/^[A-Za-z0-9_.-]+$/, "must be the name of a kubeadm preflight check"),
);

/** Identity of a cluster's owner: a UUID as podnet mints it. */
export const ownerIdentity = z.string().refine((value) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value), {
  error: (issue) =>
    `must be the identity of an owner as a refusal names it, such as 1b4e28ba-2fa1-41d2-883f-0016d3cca427, got ${show(issue.input)}`,
});

/** A DNS name: labels by RFC 1123 joined by dots, such as the cluster's domain. */
export const dnsDomain = z
  .string()
  .refine((value) => value.length <= 253 && value.split(".").every((label) => DNS_LABEL.test(label)), {
    error: (issue) => `must be a DNS name such as cluster.local, got ${show(issue.input)}`,
  });

/** Labels by RFC 1123 in letters of any case, joined by single dots. */
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/i;

/**
 * Whether a text names a host. Digits and dots are an address or nothing. An IPv6 address with a zone is one on this machine only,
 * and one that starts with :: is none of a machine's.
 */
function isHost(text: string): boolean {
  return isIP(text) === 0 ? HOST_NAME.test(text) && !/^[0-9.]+$/.test(text) : /^[0-9a-f][0-9a-f.:]*$/i.test(text);
}

/** The port behind a host, where a text is both. */
function portAfterHost(text: string): string | undefined {
  const [, bracketed, plain, number] = /^(?:\[(.+)\]|([^:]+)):([0-9]{1,5})$/.exec(text) ?? [];
  return isHost(bracketed ?? plain ?? "") ? number : undefined;
}

/** A machine's DNS name or address, to connect to. */
export const hostName = z.string().refine(isHost, {
  error: ({ input }) => {
    const number = portAfterHost(String(input));
    return number === undefined
      ? `must be a host name such as cp.example.com, or an IP address, got ${show(input)}`
      : `must be a host name or an IP address alone, got ${show(input)}; give ${number} as "port"`;
  },
});

const LABEL_NAME = /^[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$/;
const LABEL_PREFIX = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Whether a text is a label key by https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/. */
export function isLabelKey(key: string): boolean {
  const slash = key.indexOf("/");
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  const name = key.slice(slash + 1);
  return LABEL_NAME.test(name) && (prefix === undefined || (prefix.length <= 253 && LABEL_PREFIX.test(prefix)));
}

/** Whether a text is a label value: empty, or like a label key's name. */
export function isLabelValue(value: string): boolean {
  return value === "" || LABEL_NAME.test(value);
}

/** A selector: at least one label, all of which must match (https://kubernetes.io/docs/concepts/services-networking/service/). */
export const selector = z.record(z.string(), z.string()).superRefine((labels, context) => {
  if (Object.keys(labels).length === 0) {
    context.addIssue({ code: "custom", message: "must have at least one label: an empty selector matches no pod" });
  }
  for (const [key, value] of Object.entries(labels)) {
    if (!isLabelKey(key)) {
      context.addIssue({ code: "custom", path: [key], message: `${show(key)} is not a legal label key` });
    }
    if (!isLabelValue(value)) {
      context.addIssue({ code: "custom", path: [key], message: `${show(value)} is not a legal label value` });
    }
  }
});

/** A TCP or UDP port. */
export const port = whole(1, 65535);

/** MTU of a pod network in bytes: 576 is what every IPv4 host must take (RFC 791), 9216 what jumbo frames reach. */
export const mtu = whole(576, 9216);

/** A node's slot: the number of its subnet in the cluster's pod CIDR, kept for life. */
export const slot = whole(0, 65535);

/** Prefix length of one node's pod CIDR. */
export const nodePrefix = whole(16, 30);

/** A node's role. */
export const role = oneOf(["control-plane", "worker"]);

/** kube-proxy's mode; `auto` is nftables where the node has it, else iptables. */
export const kubeProxyMode = oneOf(["auto", "nftables", "iptables"]);

/** Number of pods a workload runs. */
export const replicas = whole(1, 1000);

/** Where releases are read from: `https://`, `http://` or `file:///` and a path of safe characters. */
export const mirrorUrl = z
  .string()
  .refine((value) => /^(https?:\/\/[A-Za-z0-9]|file:\/\/\/)[A-Za-z0-9._~:@%+/-]*$/.test(value), {
    error: ({ input }) => {
      // A password in it is nobody's business.
      const shown = String(input).replace(/\/\/[^/@]*@/, "//");
      return `must be an http://, https:// or file:/// URL without query, got ${show(shown)}`;
    },
  });

/** Checksums of the files of a mirror: path under the mirror to lower-case hexadecimal SHA-256. */
export const checksums = z.record(
  z.string().regex(/^[A-Za-z0-9._+-]+(\/[A-Za-z0-9._+-]+)*$/, "must be a relative path of safe characters"),
  z.string().refine((value) => /^[0-9a-f]{64}$/.test(value), {
    error: (issue) => `must be a SHA-256 in 64 lower-case hexadecimal digits, got ${show(issue.input)}`,
  }),
);

// The grammar of https://pkg.go.dev/github.com/distribution/reference, by which the kubelet refuses others for good. A registry is
// told from a path by its dot or its port.
const REGISTRY =
  /(?=[^/]*[.:])[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*(:[0-9]+)?\//;
const PATH_PART = /[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*/;
const TAG = /:[A-Za-z0-9_][-.A-Za-z0-9_]{0,127}/;
const DIGEST = /@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})/;
const IMAGE = new RegExp(
  `^(${REGISTRY.source})?${PATH_PART.source}(/${PATH_PART.source})*(${TAG.source})?(${DIGEST.source})?$`,
);

/** Reference of a container image, with or without its registry, tag and digest: nothing that a shell would read. */
export const image = z.string().refine((value) => value.length <= 255 && IMAGE.test(value), {
  error: (issue) =>
    `must be an image reference such as registry.k8s.io/pause:3.10.1 (its path in lower case, no part of it empty, at most 255 characters), got ${show(issue.input)}`,
});

/** Path on a machine: absolute, without NUL or line breaks. */
export const absolutePath = z.string().refine((value) => /^\/[^\0\n\r]*$/.test(value), {
  error: (issue) => `must be an absolute path, got ${show(issue.input)}`,
});

/** Address of a container engine, as in DOCKER_HOST. */
export const dockerHost = z
  .string()
  .refine((value) => /^(unix:\/\/\/|tcp:\/\/|ssh:\/\/|npipe:\/\/)[^\s]*$/.test(value), {
    error: (issue) => `must be a DOCKER_HOST such as unix:///var/run/docker.sock, got ${show(issue.input)}`,
  });
