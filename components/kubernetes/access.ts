import type { KubeConfig } from "@kubernetes/client-node";
import type { OutgoingHttpHeaders } from "node:http";
import type { AgentOptions, RequestOptions } from "node:https";
import { messageOf } from "../args/validate";

/** How an API server is reached, out of a kubeconfig. */
export interface Access {
  /** The server's URL. */
  readonly server: string;
  readonly tls: AgentOptions;
  /** What shows who asks, where that is not a certificate. */
  readonly headers?: OutgoingHttpHeaders;
}

function field(kubeconfig: string, name: string): string {
  const value = new RegExp(`^\\s*${name}: *"?([^"\\s]+)"?\\s*$`, "m").exec(kubeconfig)?.[1];
  if (value === undefined) {
    throw new Error(`the kubeconfig has no ${name}; podnet reads those that kubeadm writes, with client certificates`);
  }
  return value;
}

/** Reads a kubeconfig of one cluster and one user with a client certificate, as kubeadm writes it. */
export function parseKubeconfig(kubeconfig: string): Access {
  const decoded = (name: string): string => Buffer.from(field(kubeconfig, name), "base64").toString("utf8");
  return {
    server: field(kubeconfig, "server"),
    tls: {
      ca: decoded("certificate-authority-data"),
      cert: decoded("client-certificate-data"),
      key: decoded("client-key-data"),
    },
  };
}

/** Any kubeconfig, read by the Kubernetes project's own client: contexts, tokens, files and commands that log in. */
export interface AnyAccess {
  readonly access: Access;
  readonly config: KubeConfig;
}

/** Reads the text of any kubeconfig, and logs in where it says how. Throws with what it lacks. */
export async function readKubeconfig(kubeconfig: string): Promise<AnyAccess> {
  // It is large, and only a cluster that podnet did not make needs it.
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  try {
    config.loadFromString(kubeconfig);
    const cluster = config.getCurrentCluster();
    if (cluster === null) {
      throw new Error("its current context names no cluster");
    }
    if (cluster.proxyUrl !== undefined) {
      throw new Error("its cluster is behind a proxy (proxy-url), by which podnet does not ask; use one without");
    }
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername, auth, headers } = options;
    const tls = { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername };
    return {
      config,
      access: {
        server: cluster.server,
        tls: Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined)),
        headers: {
          ...(headers as OutgoingHttpHeaders | undefined),
          ...(typeof auth === "string" && { authorization: `Basic ${Buffer.from(auth).toString("base64")}` }),
        },
      },
    };
  } catch (error) {
    throw unusable("the kubeconfig", error);
  }
}

/** Says what is wrong with a kubeconfig. Neither the parser's text nor its error goes on: they quote lines of the file, which may be keys. */
function unusable(what: string, error: unknown): Error {
  return new Error(`${what} cannot be used: ${faultOf(error)}`);
}

function faultOf(error: unknown): string {
  const { name, reason, mark } = error as { name?: string; reason?: string; mark?: { line?: number } };
  if (name === "YAMLException") {
    return `it is no YAML: ${reason ?? "it cannot be read"}${mark?.line === undefined ? "" : ` in line ${String(mark.line + 1)}`}`;
  }
  return error instanceof TypeError ? "it has not the shape of a kubeconfig" : messageOf(error);
}

/**
 * The text of a kubeconfig file with the paths in it made whole, so that it can be read from anywhere. `context` names another context
 * than its current one. Throws with the contexts that there are.
 */
export async function kubeconfigText(file: string, context?: string): Promise<string> {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  try {
    config.loadFromFile(file);
  } catch (error) {
    throw unusable(`the kubeconfig ${file}`, error);
  }
  if (context !== undefined) {
    const names = config.getContexts().map(({ name }) => name);
    if (!names.includes(context)) {
      throw new Error(`${file} has no context "${context}"; it has ${names.join(", ") || "none"}`);
    }
    config.setCurrentContext(context);
  }
  return config.exportConfig();
}
