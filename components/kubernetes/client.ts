import { Agent, request } from "node:https";
import { z } from "zod";
import { type Access, parseKubeconfig } from "./access";
import { type Labels, selectorText } from "./selector";

/** An answer of the API server that is no success; `code` is the HTTP status. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

const status = z.looseObject({ message: z.string() });

/** A client of one API server that keeps its connections open. Close it when done, or the process does not end. */
export class KubeClient {
  readonly #access: Access;
  readonly #agent: Agent;

  /** `access` may be the text of a kubeconfig that kubeadm wrote; `timeout` bounds each request, in milliseconds. */
  constructor(
    access: string | Access,
    private readonly timeout = 5000,
  ) {
    this.#access = typeof access === "string" ? parseKubeconfig(access) : access;
    const { tls } = this.#access;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 8, ...tls });
  }

  /** The API server, as a URL. */
  get server(): string {
    return this.#access.server;
  }

  /** Reads an object or a list and checks its shape. */
  async get<T extends z.ZodType>(path: string, schema: T): Promise<z.output<T>> {
    return schema.parse(JSON.parse(await this.#send("GET", path)));
  }

  /** Reads what is no object, such as a log. */
  text(path: string): Promise<string> {
    return this.#send("GET", path);
  }

  /** Changes an object by a JSON merge patch (RFC 7396): null takes a field away. */
  async patch(path: string, body: unknown): Promise<void> {
    await this.#send("PATCH", path, JSON.stringify(body), "application/merge-patch+json");
  }

  /** Creates an object in the collection at a path. */
  async create(path: string, body: unknown): Promise<void> {
    await this.#send("POST", path, JSON.stringify(body), "application/json");
  }

  /** Deletes an object; one that is not there is no fault. */
  async delete(path: string): Promise<void> {
    await ifThere(this.#send("DELETE", path));
  }

  /** Ends the open connections. */
  close(): void {
    this.#agent.destroy();
  }

  #send(method: string, path: string, body?: string, type?: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = {
        accept: "application/json",
        ...this.#access.headers,
        ...(body !== undefined && { "content-type": type, "content-length": Buffer.byteLength(body) }),
      };
      const call = request(
        new URL(this.#access.server.replace(/\/+$/, "") + path),
        { method, headers, agent: this.#agent, timeout: this.timeout },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            const text = Buffer.concat(chunks).toString("utf8");
            const code = response.statusCode ?? 0;
            if (code >= 200 && code < 300) {
              resolve(text);
              return;
            }
            reject(new ApiError(code, `${method} ${path}: ${String(code)} ${messageOf(text)}`));
          });
        },
      );
      call.on("timeout", () => call.destroy(new Error(`no answer within ${String(this.timeout)} ms`)));
      call.on("error", (error) => {
        reject(new Error(`${method} ${this.#access.server}${path}: ${error.message}`));
      });
      call.end(body);
    });
  }
}

function isCode(error: unknown, code: number): boolean {
  return error instanceof ApiError && error.code === code;
}

/** What an API server is asked for; undefined where it says that it is not there (404). */
export async function ifThere<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isCode(error, 404)) {
      return undefined;
    }
    throw error;
  }
}

/** Whether something was made or changed; false where the API server says that it is there already, or has changed meanwhile (409). */
export async function unlessConflict(done: Promise<void>): Promise<boolean> {
  try {
    await done;
    return true;
  } catch (error) {
    if (isCode(error, 409)) {
      return false;
    }
    throw error;
  }
}

function messageOf(text: string): string {
  try {
    return status.parse(JSON.parse(text)).message;
  } catch {
    return text.slice(0, 200);
  }
}

const words = z.string().optional();
const terminated = z.looseObject({ reason: words, message: words, exitCode: z.number() }).optional();
const containerStatus = z.looseObject({
  name: z.string(),
  ready: z.boolean().optional(),
  state: z
    .looseObject({
      waiting: z.looseObject({ reason: words, message: words }).optional(),
      running: z.looseObject({}).optional(),
      terminated,
    })
    .default({}),
  lastState: z.looseObject({ terminated }).optional(),
});

const pod = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string(),
    labels: z.record(z.string(), z.string()).default({}),
    creationTimestamp: z.string().optional(),
    deletionTimestamp: z.string().optional(),
  }),
  spec: z.looseObject({
    nodeName: z.string().optional(),
    hostNetwork: z.boolean().optional(),
    containers: z.array(z.looseObject({ image: words })).default([]),
  }),
  status: z.looseObject({
    phase: z.string().optional(),
    /** Why it failed as a whole, such as `Evicted`. */
    reason: z.string().optional(),
    message: z.string().optional(),
    podIP: z.string().optional(),
    conditions: z
      .array(z.looseObject({ type: z.string(), status: z.string(), reason: words, message: words }))
      .default([]),
    initContainerStatuses: z.array(containerStatus).default([]),
    containerStatuses: z.array(containerStatus).default([]),
  }),
});

/** The fields of a Pod that podnet reads. */
export type Pod = z.output<typeof pod>;
/** A list of Pods. */
export const podList = z.looseObject({ items: z.array(pod) });

/** A list of EndpointSlices, with the fields that podnet reads. */
export const endpointSliceList = z.looseObject({
  items: z.array(
    z.looseObject({
      endpoints: z
        .array(
          z.looseObject({
            addresses: z.array(z.string()),
            conditions: z.looseObject({ ready: z.boolean().optional() }).optional(),
            targetRef: z.looseObject({ kind: z.string().optional(), name: z.string().optional() }).nullish(),
          }),
        )
        .nullish(),
    }),
  ),
});

/** Whether a Pod is ready and not on its way out. */
export function isReady({ metadata, status }: Pod): boolean {
  return (
    metadata.deletionTimestamp === undefined &&
    status.conditions.some(({ type, status: value }) => type === "Ready" && value === "True")
  );
}

/** Whether a Pod has ended, such as by an eviction: it stays beside the one that comes in its place, and never runs again. */
export function hasEnded({ status }: Pod): boolean {
  return status.phase === "Succeeded" || status.phase === "Failed";
}

/** Whether a Pod runs at an address, ready or not: what a Service with `publishNotReadyAddresses` has for an endpoint. */
export function isRunning(pod: Pod): boolean {
  return pod.status.podIP !== undefined && !hasEnded(pod);
}

/** The pods of a namespace that a selector matches, those on their way out left away unless they are asked for too. */
export async function podsOf(
  client: KubeClient,
  namespace: string,
  selector: Labels,
  leavingToo = false,
): Promise<Pod[]> {
  const query = new URLSearchParams({ labelSelector: selectorText(selector) });
  const { items } = await client.get(`/api/v1/namespaces/${namespace}/pods?${query.toString()}`, podList);
  return items.filter(({ metadata }) => leavingToo || metadata.deletionTimestamp === undefined);
}

/** A ready endpoint of a Service. */
export interface Endpoint {
  readonly address: string;
  /** The pod's name; undefined for an address that is no pod's. */
  readonly pod?: string | undefined;
}

/** The ready endpoints of a Service, out of its EndpointSlices. */
export async function endpointsOf(client: KubeClient, namespace: string, service: string): Promise<Endpoint[]> {
  const query = new URLSearchParams({ labelSelector: `kubernetes.io/service-name=${service}` });
  const { items } = await client.get(
    `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?${query.toString()}`,
    endpointSliceList,
  );
  return items
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses, targetRef }) =>
      addresses.map((address) => ({ address, pod: targetRef?.kind === "Pod" ? targetRef.name : undefined })),
    );
}

const apiObject = z.looseObject({
  spec: z.looseObject({ clusterIP: z.string(), ports: z.array(z.looseObject({ port: z.number() })) }),
});

/** The Service that every cluster's API server has for itself (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/). */
export async function apiService(client: KubeClient): Promise<{ readonly address: string; readonly port: number }> {
  const { spec } = await client.get("/api/v1/namespaces/default/services/kubernetes", apiObject);
  return { address: spec.clusterIP, port: spec.ports[0]?.port ?? 443 };
}
