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
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername, headers } = options;
    const tls = { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername };
    return {
      config,
      access: {
        server: cluster.server,
        tls: Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined)),
        ...(headers !== undefined && { headers: headers as OutgoingHttpHeaders }),
      },
    };
  } catch (error) {
    throw new Error(`the kubeconfig cannot be used: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * The text of a kubeconfig file with the paths in it made whole, so that it can be read from anywhere. `context` names another context
 * than its current one. Throws with the contexts that there are.
 */
export async function kubeconfigText(file: string, context?: string): Promise<string> {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  config.loadFromFile(file);
  if (context !== undefined) {
    const names = config.getContexts().map(({ name }) => name);
    if (!names.includes(context)) {
      throw new Error(`${file} has no context "${context}"; it has ${names.join(", ") || "none"}`);
    }
    config.setCurrentContext(context);
  }
  return config.exportConfig();
}
