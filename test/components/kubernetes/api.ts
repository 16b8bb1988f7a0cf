import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

/** An object of the API, with the version that each change of it raises. */
export interface Stored {
  metadata: { name: string; resourceVersion: string; labels?: Record<string, string>; deletionTimestamp?: string };
  spec?: object;
  [field: string]: unknown;
}

/** An API server that keeps objects by their path, takes merge patches, and lets in who bears its token. */
export interface Api {
  readonly kubeconfig: string;
  readonly objects: Map<string, Stored>;
  /** Each request, as `METHOD PATH`. */
  readonly requests: string[];
  /** What is answered instead, where it answers a request by a code. */
  refuse: (method: string, path: string) => { code: number; message: string } | undefined;
  readonly close: () => Promise<void>;
}

const TOKEN = "let-me-in";

/** Starts one on 127.0.0.1. */
export async function startApi(): Promise<Api> {
  const folder = mkdtempSync(join(tmpdir(), "podnet-api-"));
  const [keyFile, certFile] = [join(folder, "key"), join(folder, "cert")];
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "2",
      ...subject,
    ].concat(["-keyout", keyFile, "-out", certFile]),
    { stdio: "pipe" },
  );
  const [key, cert] = [readFileSync(keyFile), readFileSync(certFile)];
  rmSync(folder, { recursive: true });
  const objects = new Map<string, Stored>();
  const requests: string[] = [];
  let version = 0;
  const server = createServer({ key, cert }, (request, response) => {
    void (async () => {
      const { method = "", url = "" } = request;
      const path = url.split("?")[0] ?? "";
      requests.push(`${method} ${path}`);
      const answer = (code: number, body: unknown): void => {
        response.writeHead(code, { "content-type": "application/json" });
        response.end(JSON.stringify(body));
      };
      const body = JSON.parse((await text(request)) || "{}") as Stored;
      const refused = api.refuse(method, path);
      if (request.headers.authorization !== `Bearer ${TOKEN}`) {
        return answer(401, { message: "Unauthorized" });
      }
      if (refused) {
        return answer(refused.code, { message: refused.message });
      }
      const store = (at: string, object: Stored): void => {
        version += 1;
        object.metadata.resourceVersion = String(version);
        objects.set(at, object);
        answer(200, object);
      };
      const found = objects.get(path);
      switch (method) {
        case "POST": {
          const at = `${path}/${body.metadata.name}`;
          return objects.has(at) ? answer(409, { message: `"${at}" already exists` }) : store(at, body);
        }
        case "PATCH": {
          if (!found) {
            return answer(404, { message: "not found" });
          }
          const { resourceVersion = found.metadata.resourceVersion } = (body as Partial<Stored>).metadata ?? {};
          if (resourceVersion !== found.metadata.resourceVersion) {
            return answer(409, { message: "the object has been modified" });
          }
          const spec = { ...found.spec, ...body.spec };
          const merged = { ...found, ...body, metadata: found.metadata, spec };
          return store(path, merged);
        }
        case "DELETE": {
          [...objects.keys()]
            .filter((at) => at === path || (path.startsWith("/api/v1/namespaces/") && inNamespace(at, path)))
            .forEach((at) => objects.delete(at));
          return found ? answer(200, {}) : answer(404, { message: "not found" });
        }
        default: {
          const items = [...objects]
            .filter(([at]) => at.slice(0, at.lastIndexOf("/")) === path)
            .map(([, object]) => object);
          return found
            ? answer(200, found)
            : path.endsWith("s")
              ? answer(200, { items })
              : answer(404, { message: "not found" });
        }
      }
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const api: Api = {
    kubeconfig: kubeconfigOf(`https://127.0.0.1:${String(port)}`, cert.toString("base64")),
    objects,
    requests,
    refuse: () => undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return api;
}

/** Whether an object is in a namespace, by their paths. */
function inNamespace(at: string, namespacePath: string): boolean {
  return at.includes(`/namespaces/${namespacePath.split("/").at(-1) ?? ""}/`);
}

function kubeconfigOf(server: string, ca: string): string {
  return `apiVersion: v1
kind: Config
current-context: one
contexts:
- {name: one, context: {cluster: c, user: token}}
- {name: nobody, context: {cluster: c, user: none}}
clusters:
- {name: c, cluster: {server: "${server}", certificate-authority-data: ${ca}}}
users:
- {name: token, user: {token: ${TOKEN}}}
- {name: none, user: {}}
`;
}
